"""The writer of an ops repo: one commit for each app and environment, one push for all that wait.

Commits are made in the bare mirror with git's plumbing and pushed by their id, so a crash at any point leaves
nothing behind, and no file is ever written through a link that somebody put into the repo.
"""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from bot.errors import BotError
from bot.git import Git, GitError
from bot.limits import MAX_CONFIG_BYTES, PUSH_TRIES
from bot.mirror import Mirror
from bot.names import short
from bot.reconcile import Update
from bot.registration import Target
from bot.values import Values

# The two ways in which git says that somebody else has pushed meanwhile.
_OVERTAKEN = ("non-fast-forward", "fetch first", "cannot lock ref", "failed to update ref")


class OpsRepo:
    """One ops repo. The bot has one of these for each, in one thread."""

    def __init__(self, git: Git, url: str, folder: Path) -> None:
        self._git = git
        self._url = url
        self._mirror = Mirror(git, url, folder)

    def refresh(self) -> None:
        """Get what others pushed."""
        self._mirror.refresh()

    def present(self, target: Target) -> Values | None:
        """What the environment's values file says; None without one, or when it is not as the bot writes it."""
        text = self._text(self._mirror.head(), target)
        if text is None:
            return None
        with contextlib.suppress(BotError):
            return Values.from_yaml(text, target.values_file)
        return None

    def write(self, updates: Sequence[Update]) -> dict[Target, str]:
        """Commit and push. The commit of each target that changed; what is there already gets none.

        Raises BotError when the ops repo refuses; then nothing was written.
        """
        for attempt in Retrying(
            retry=retry_if_exception(_is_overtaken),
            stop=stop_after_attempt(PUSH_TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=5),
            reraise=True,
        ):
            with attempt:
                return self._write_once(updates)
        raise AssertionError("tenacity returns or raises")

    def _write_once(self, updates: Sequence[Update]) -> dict[Target, str]:
        self.refresh()
        base = head = self._mirror.head()
        commits = {}
        for update in updates:
            if self._text(head, update.target) != update.values.to_yaml():
                commits[update.target] = head = self._commit(head, update)
        if head != base:
            branch = self._run("symbolic-ref", "HEAD")
            self._run("push", "--quiet", "--", self._url, f"{head}:{branch}")
        return commits

    def _commit(self, parent: str | None, update: Update) -> str:
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            if parent:
                self._run("read-tree", parent, environment=index)
            blob = self._run("hash-object", "-w", "--stdin", stdin=update.values.to_yaml())
            try:
                entry = f"100644,{blob},{update.target.values_file}"
                self._run("update-index", "--add", "--cacheinfo", entry, environment=index)
            except GitError:
                message = f"{update.target.ops}: a folder above {update.target.values_file} is a link or a file"
                raise BotError(message) from None
            tree = self._run("write-tree", environment=index)
        parents = ["-p", parent] if parent else []
        return self._run("commit-tree", tree, *parents, "-F", "-", stdin=_message(update))

    def _text(self, head: str | None, target: Target) -> str | None:
        if head is None:
            return None
        key = (head, target.values_file)
        content = self._mirror.read([key], MAX_CONFIG_BYTES)[key]
        return None if content is None else content.decode(errors="replace")

    def _run(self, *arguments: str, stdin: str = "", environment: dict[str, str] | None = None) -> str:
        folder = self._mirror.folder
        return self._git(folder, *arguments, stdin=stdin.encode(), environment=environment).decode().strip()


def _message(update: Update) -> str:
    """Trailers say what the commit is for, so that tools need not read the file."""
    target, source = update.target, update.values.source
    return (
        f"Deploy {target.app} {short(source.ref)} ({source.commit[:12]}) to {target.environment}\n\n"
        f"Dppctl-App: {target.app}\n"
        f"Dppctl-Environment: {target.environment}\n"
        f"Dppctl-Source-Ref: {source.ref}\n"
        f"Dppctl-Source-Commit: {source.commit}\n"
        f"Dppctl-Image: {update.values.image or 'none'}\n"
    )


def _is_overtaken(error: BaseException) -> bool:
    return isinstance(error, GitError) and any(words in str(error) for words in _OVERTAKEN)
