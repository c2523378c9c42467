"""The writer of an ops repo: one commit for each app and environment, one push for all that wait.

Commits are made in the bare mirror with git's plumbing and pushed by their id, so a crash at any point leaves
nothing behind, and no file is ever written through a link that somebody put into the repo.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from bot.errors import BotError
from bot.git import Git, GitError
from bot.limits import MAX_CONFIG_BYTES, PUSH_TRIES
from bot.mirror import Mirror
from bot.names import short
from bot.reconcile import Update
from bot.registration import Target

# The two ways in which git says that somebody else has pushed meanwhile.
_OVERTAKEN = ("non-fast-forward", "fetch first", "cannot lock ref", "failed to update ref")


class BlockedError(BotError):
    """A values file cannot be where it should be. The others of a batch can."""


class OpsRepo:
    """One ops repo. The bot has one of these for each, in one thread."""

    def __init__(self, git: Git, url: str, folder: Path) -> None:
        self._git = git
        self._url = url
        self._mirror = Mirror(git, url, folder)
        self._is_fresh = False  # since the last refresh nothing was written: it need not be looked at once more
        self.pushes = self.conflicts = 0  # for /metrics

    def refresh(self) -> None:
        """Get what others pushed."""
        self._mirror.refresh()
        self._is_fresh = True

    def texts(self, targets: Iterable[Target]) -> dict[Target, str | None]:
        """The environments' values files, as they were at the last refresh; None where there is none."""
        head = self._mirror.head()
        if head is None:
            return dict.fromkeys(targets)
        keys = {target: (head, target.values_file) for target in targets}
        found = self._mirror.read(keys.values(), MAX_CONFIG_BYTES)
        contents = {target: found[key] for target, key in keys.items()}
        return {target: one.decode(errors="replace") if one is not None else None for target, one in contents.items()}

    def last_change(self, target: Target) -> str:
        """The commit that brought the values that are there."""
        return self._mirror.last_change(target.values_file)

    def write(self, updates: Sequence[Update]) -> dict[Target, str | BotError]:
        """Commit and push. For each target that changed its commit, or why it cannot have one.

        What is there already gets none. Raises GitError when the ops repo refuses; then nothing was written.
        """
        if not self._is_fresh:
            self.refresh()
        with tempfile.TemporaryDirectory() as folder:
            blobs = self._blobs(updates, Path(folder))
        for attempt in Retrying(
            retry=retry_if_exception(_is_overtaken),
            stop=stop_after_attempt(PUSH_TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=5),
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self.conflicts += 1
                    self._mirror.catch_up()
                return self._write_once(updates, blobs)
        raise AssertionError("tenacity returns or raises")

    def _write_once(self, updates: Sequence[Update], blobs: Sequence[str]) -> dict[Target, str | BotError]:
        self._is_fresh = False
        base = head = self._mirror.head()
        paths = [update.target.values_file for update in updates]
        there = self._mirror.blobs(base, paths) if base else dict.fromkeys(paths)
        results: dict[Target, str | BotError] = {}
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            if base:
                self._run("read-tree", base, environment=index)
            for update, blob in zip(updates, blobs, strict=True):
                if there[update.target.values_file] != blob:
                    try:
                        results[update.target] = head = self._commit(head, update, blob, index)
                    except BlockedError as error:
                        results[update.target] = error
        if head and head != base:
            branch = self._mirror.branch()
            self._run("push", "--quiet", "--", self._url, f"{head}:{branch}")
            self.pushes += 1
            if base:
                self._mirror.pushed(branch, base, head)
        return results

    def _blobs(self, updates: Sequence[Update], folder: Path) -> list[str]:
        """Put the files' contents into git."""
        files = [folder / str(number) for number in range(len(updates))]
        for file, update in zip(files, updates, strict=True):
            file.write_text(update.values.to_yaml())
        paths = "".join(f"{file}\n" for file in files)
        return self._run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths).split()

    def _commit(self, parent: str | None, update: Update, blob: str, index: dict[str, str]) -> str:
        try:
            entry = f"100644,{blob},{update.target.values_file}"
            self._run("update-index", "--add", "--cacheinfo", entry, environment=index)
        except GitError:
            path = update.target.values_file
            raise BlockedError(f"{update.target.ops}: a folder above {path} is a link or a file") from None
        tree = self._run("write-tree", environment=index)
        parents = ["-p", parent] if parent else []
        return self._run("commit-tree", tree, *parents, "-F", "-", stdin=_message(update))

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
