"""Write an ops repo: one commit for each app and environment, one push for all that wait.

Commits are made in the bare mirror, by one `git fast-import` for all of them, and pushed by a ref of their own. So a
crash at any point leaves nothing behind, and no file is ever written through a link that somebody put into the repo.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1, sha256
from pathlib import Path, PurePosixPath

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError, TransientGitError
from bot.git.mirror import Mirror
from bot.limits import MAX_COMMIT_WORDS, MAX_VALUES_BYTES, MAX_VALUES_NODES, MAX_WRITTEN, PUSH_TRIES
from bot.model.app_state import ForeignChange
from bot.model.decisions import Removal, Update, Written
from bot.model.previews import PREFIX
from bot.model.registration import Target
from bot.output import one_line
from bot.reconcile.ops_commits import WHO, WRITTEN_FORM, WrittenCommit, read_written, trailer_form, write_message

# The ways in which git says that somebody else has pushed meanwhile.
_OVERTAKEN = ("non-fast-forward", "fetch first", "stale info", "cannot lock ref", "failed to update ref")
_NEXT = "refs/dppctl/next"  # in the mirror: what is being pushed


class BlockedError(DppctlError):
    """A values file cannot be where it should be; the others of a batch can."""


class ChangedMeanwhileError(TransientGitError):
    """Somebody changed a values file after it was looked at: it is to be looked at again, and not written over."""


class OpsRepo:
    """Reads and writes one ops repo. The bot has one of these for each; never two threads use it at the same time."""

    def __init__(
        self,
        git: Git,
        url: str,
        folder: Path,
        links: Callable[[Update], Sequence[str]] = lambda _: (),
        signing_key: Path | None = None,
    ) -> None:
        """`links` gives lines for an update's commit message; with `signing_key`, OpenSSH's, commits are signed."""
        self._signing_key = signing_key
        self._git = git
        self._links = links
        self._mirror = Mirror(git, url, folder)
        self._looked_at: str | None = None  # the commit whose files our callers know, or that is our own
        self._is_fresh = False  # since the last refresh nothing was written: it need not be looked at once more
        self.pushes = self.conflicts = self.commits = 0  # for /metrics

    def refresh(self) -> None:
        """Get what others pushed. Raises GitError, also when there is no default branch any more, on which all lies."""
        self._mirror.refresh(keeps_head=True)
        self._looked_at = self._mirror.head()
        self._is_fresh = True

    def texts(self, targets: Iterable[Target], at: str | None = None) -> dict[Target, str | None]:
        """Return the environments' values files as they were at the last refresh; None where there is none.

        `at`: as they are at this commit, which need not be there.
        """
        head = at or self._mirror.head()
        if head is None:
            return dict.fromkeys(targets)
        keys = {target: (head, target.values_file) for target in targets}
        with self._mirror.open() as repository:
            if at and not repository.has(at):
                return dict.fromkeys(targets)
            found = repository.read_each(keys.values(), MAX_VALUES_BYTES)
        return {target: _text(found[key]) for target, key in keys.items()}

    def previews(self, pattern: Target) -> list[Target]:
        """Return the previews that there are of an app, as far as the last refresh tells."""
        head = self._mirror.head()
        if head is None:
            return []
        with self._mirror.open() as repository:
            names = repository.folders(head, pattern.ops.file("environments"))
            found = [pattern.with_environment(name) for name in names if name.startswith(PREFIX)]
            files = repository.entries(head, [target.values_file for target in found])
        return [target for target in found if files[target.values_file]]

    @property
    def head(self) -> str | None:
        """Return the commit that it is at, as far as we know."""
        return self._mirror.head()

    @property
    def is_known(self) -> bool:
        """Return whether it was refreshed since the start, so that what others change from now on is noticed."""
        return self._looked_at is not None

    def holds(self, commit: str, at: str | None = None) -> bool:
        """Tell whether a commit is part of the branch, or of the history of the commit `at`, as far as we know."""
        end = at or self._mirror.head()
        if end is None:
            return False
        with self._mirror.open() as repository:
            return repository.holds(commit, end)

    def written(self) -> list[WrittenCommit]:
        """Return the bot's own commits of the branch that deploy, the newest first, MAX_WRITTEN at most."""
        if self._mirror.head() is None:
            return []
        with self._mirror.open() as repository:
            return read_written(repository.log("^Dppctl-App: ", WRITTEN_FORM, MAX_WRITTEN))

    def last_change(self, target: Target) -> str:
        """Return the commit that brought the values that the environment has."""
        with self._mirror.open() as repository:
            return repository.last_change(target.values_file)

    def foreign_change(self, target: Target) -> ForeignChange | None:
        """Return the commit that changed an environment's values file last; None when that was the bot, or nobody.

        A commit of the bot that a person cherry-picked or amended has the bot's trailers, and is the person's.
        """
        if self._mirror.head() is None:
            return None
        form = "%x00".join(["%H", "%an", "%s", trailer_form("App"), *WHO])
        with self._mirror.open() as repository:
            last = repository.last_change(target.values_file, form).split("\0")
        if len(last) != 6:
            return None
        ops_commit, author, subject, app, by, committed_by = last
        if app and by == committed_by:  # also for an app that had the environment before, or another name
            return None
        return ForeignChange(ops_commit, *(one_line(text, MAX_COMMIT_WORDS) for text in (author, subject)))

    def write(
        self, updates: Sequence[Written], check: Callable[[], None] = lambda: None
    ) -> dict[Target, str | DppctlError]:
        """Commit and push; return for each target that changed its commit, or why it cannot have one.

        `check` is called before each push, and raises what forbids it. What is written already gets no commit. Raises
        GitError when the ops repo refuses; then nothing was written.
        """
        oversized = {update.target: error for update in updates if (error := _oversized(update))}
        updates = [update for update in updates if update.target not in oversized]
        if not self._is_fresh:
            self._mirror.catch_up()
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
                return oversized | self._write_once(updates, check)
        raise AssertionError("tenacity returns or raises")

    def _write_once(self, updates: Sequence[Written], check: Callable[[], None]) -> dict[Target, str | DppctlError]:
        self._is_fresh = False
        base = self._mirror.head()
        changed, results = self._changed(base, updates)
        if changed:
            commits = self._commit(base, changed)
            check()
            self._mirror.push(_NEXT, base, commits[-1])
            self._looked_at = commits[-1]
            self.pushes += 1
            self.commits += len(commits)
            results |= {update.target: commit for update, commit in zip(changed, commits, strict=True)}
        return results

    def _changed(
        self, base: str | None, updates: Sequence[Written]
    ) -> tuple[list[Written], dict[Target, str | DppctlError]]:
        """Return the updates that are to be committed; and why others cannot be."""
        if base is None:
            return [update for update in updates if isinstance(update, Update)], {}
        folders = {update: _folders(update.target.values_file) for update in updates}
        files = {update.target.values_file for update in updates}
        with self._mirror.open() as repository:
            present = repository.entries(base, files.union(*folders.values()))
            known = repository.entries(self._looked_at, files) if self._looked_at not in (None, base) else present
        changed: list[Written] = []
        blocked: dict[Target, str | DppctlError] = {}
        for update in updates:
            file = update.target.values_file
            kinds = {(present[folder] or ("tree", ""))[0] for folder in folders[update]}
            if kinds != {"tree"} or files & set(folders[update]):
                blocked[update.target] = BlockedError(f"{update.target.ops}: a folder above {file} is a link or a file")
            elif (found := present[file]) and found[0] != "blob":
                blocked[update.target] = BlockedError(f"{update.target.ops}: {file} is a folder")
            elif found != known[file]:
                message = f"{file} was changed by somebody meanwhile; it is looked at again"
                blocked[update.target] = ChangedMeanwhileError(message)
            elif isinstance(update, Removal):
                changed += [update] if found else []
            elif found != ("blob", _blob(update.values.to_yaml().encode(), len(base))):
                changed.append(update)
        return changed, blocked

    def _commit(self, base: str | None, updates: Sequence[Written]) -> list[str]:
        """Make a commit for each, one after the other.

        https://git-scm.com/docs/git-fast-import#_input_format
        """
        when = f"{int(time.time())} +0000"
        stream = bytearray()
        for mark, update in enumerate(updates, 1):
            parent = f"from {base}\n" if mark == 1 and base else ""
            head = f"commit {_NEXT}\nmark :{mark}\ncommitter {self._git.user} {when}\n"
            stream += head.encode() + _data(self._message(update)) + parent.encode()
            file = update.target.values_file
            if isinstance(update, Removal):
                stream += f"D {file}\n".encode()
            else:
                stream += f"M 100644 inline {file}\n".encode() + _data(update.values.to_yaml())
            stream += f"get-mark :{mark}\n".encode()
        if not base:  # the ref of an earlier try is no parent
            stream = bytearray(f"reset {_NEXT}\n\n".encode()) + stream
        done = self._mirror.run("fast-import", "--quiet", "--force", stdin=bytes(stream))
        commits = done.decode().split()
        return self._sign(base, commits, updates) if self._signing_key else commits

    def _message(self, update: Written) -> str:
        return write_message(update, self._links(update) if isinstance(update, Update) else ())

    def _sign(self, base: str | None, commits: Sequence[str], updates: Sequence[Written]) -> list[str]:
        """Make the same commits signed, by git's own: https://git-scm.com/docs/git-commit-tree. Raises GitError."""
        config = {"gpg.format": "ssh", "user.signingKey": str(self._signing_key)}
        signed: list[str] = []
        for commit, update in zip(commits, updates, strict=True):
            parent = [*signed[-1:], *([base] if base else [])][:1]
            options = ("-S", *(word for name in parent for word in ("-p", name)), "-F", "-", f"{commit}^{{tree}}")
            message = self._message(update).encode()
            signed.append(self._mirror.run("commit-tree", *options, stdin=message, config=config).decode().strip())
        self._mirror.run("update-ref", _NEXT, signed[-1])
        return signed


def _text(content: bytes | DppctlError | None) -> str | None:
    """Return a values file as text; one that is too large says nothing that counts."""
    return None if content is None else content.decode(errors="replace") if isinstance(content, bytes) else ""


def _oversized(update: Written) -> BlockedError | None:
    """Return why a values file is not written: nobody would read it, in bot and sync; None: it is not too large."""
    if isinstance(update, Removal):
        return None
    size, file = len(update.values.to_yaml().encode()), update.target.values_file
    if (nodes := update.values.nodes) > MAX_VALUES_NODES:
        return BlockedError(
            f"{file} would have {nodes:,} values, and {MAX_VALUES_NODES:,} are read at most; "
            "name fewer resources in those expectations that have comparedWith, or have fewer expectations"
        )
    if size <= MAX_VALUES_BYTES:
        return None
    return BlockedError(
        f"{file} would have {size:,} bytes, and {MAX_VALUES_BYTES:,} are read at most; fewer pipelines, or shorter ids"
    )


def _folders(file: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(file).parents][:-1]


def _blob(content: bytes, id_length: int) -> str:
    """Return the id that git gives to a file's content.

    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    hashed = sha1 if id_length == 40 else sha256
    return hashed(b"blob %d\0" % len(content) + content).hexdigest()


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%b\n" % (len(content), content)


def _is_overtaken(error: BaseException) -> bool:
    return isinstance(error, GitError) and any(words in str(error) for words in _OVERTAKEN)
