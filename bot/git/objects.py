"""Objects of an open repository, read by one git that stays (GitPython's object database: `git cat-file --batch`)."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bot.errors import DppctlError
from bot.git.budget import LookBudget
from bot.git.command import Git
from bot.git.errors import CopyError, GitError, TransientGitError
from bot.git.gitpython import Content, Runner, text_of
from bot.limits import MAX_CONFIG_BYTES

PASSING_BYTES = 2**20  # of an object that is more than we need, such as a folder of which only the id counts
_SKIPPED_BYTES = 4 * 2**20  # git is ended sooner than that we read a larger object for nothing
_MOST_KNOWN = 100
_AHEAD = 64  # questions that git has at a time: 41 bytes each, and a pipe takes 4 KB at least
_MAX_ENTRY_BYTES = 2**16  # of a folder's listing; no disk takes a name as long
# In a folder's listing: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects
_ENTRY = re.compile(rb"([0-7]+) ([^\0]*)\0(.{20})", re.DOTALL)


class Object(NamedTuple):
    """An object of git: `blob`, `tree`, `commit` or `tag`, its id, and its content, None when that was too large."""

    kind: str
    identity: str
    content: bytes | None


_Answer = tuple[str, str, int, Content]  # an object's id, kind, size, and its content, which is to be read


class FolderEntry(NamedTuple):
    """What a folder's listing says of a file, link or folder: git's mode, its name and its id."""

    mode: str
    name: str
    identity: str

    @property
    def is_file(self) -> bool:
        """Return whether it is a regular file."""
        return self.mode.startswith("100")

    @property
    def is_link(self) -> bool:
        """Return whether it is a symbolic link."""
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        """Return whether it is a commit of another repository, which this one has not got."""
        return self.mode == "160000"

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return self.mode.lstrip("0") == "40000"


@contextmanager
def open_objects(git: Git, folder: Path) -> Iterator["ObjectReader"]:
    """Read objects of the repository that a folder is in, for this context."""
    with git.runner(folder) as runner:
        yield ObjectReader(git, runner)


class ObjectReader:
    """Reads objects by their names. For one thread. All methods raise GitError when git fails."""

    def __init__(self, git: Git, runner: Runner) -> None:
        """Take the runner of the repository."""
        self._git = git
        self._runner = runner
        self._absences: LookBudget | None = LookBudget()  # to make sure of them; None: it is used up
        self._known: dict[str, Object] = {}  # small objects: a look comes back to a commit and a folder

    def find(self, name: str, limit: int) -> Object | None:
        """Return an object, its content None when that is larger than `limit` bytes; None: nothing has this name.

        Raises GitError when it only looks so, as the copy has lost what the commit has.
        """
        if (known := self._known.get(name)) and known.content is not None and len(known.content) <= limit:
            return known
        if (answer := self._ask(name)) is None:
            self._check_absence(name)
            return None
        return self._keep(name, self._object(answer, limit))

    def get(self, identity: str, limit: int = PASSING_BYTES, budget: LookBudget | None = None) -> Object:
        """Return an object that something else names, as `find` does, and count it.

        Raises GitError when it is missing, DppctlError when the budget is used up.
        """
        found = self.find(identity, limit)
        if found is None:
            raise self._missing(identity)
        if budget:
            budget.spend_bytes(PASSING_BYTES if found.content is None else len(found.content))
        return found

    def get_each(self, identities: Sequence[str], limit: int, budget: LookBudget) -> Iterator[Object]:
        """Yield objects by their ids, as `get` does; nothing else may be asked for until the last one is there."""
        for answer in self._ask_each(identities):
            found = self._keep(answer[0], self._object(answer, limit))
            budget.spend_bytes(PASSING_BYTES if found.content is None else len(found.content))
            yield found

    def list_each(self, identities: Sequence[str], budget: LookBudget) -> Iterator[list[FolderEntry]]:
        """Yield folders' listings by their ids, as `list_folder` does, and under the condition of `get_each`."""
        for answer in self._ask_each(identities):
            yield self._entries(answer, budget) or []

    def pieces(self, identity: str) -> Iterator[bytes]:
        """Yield the content of an object that something else names, in pieces; it is to be read to its end."""
        if (answer := self._ask(identity)) is None:
            raise self._missing(identity)
        yield from self._pieces(answer[-1])

    def list_folder(self, name: str, budget: LookBudget) -> list[FolderEntry] | None:
        """Return a folder's listing, which is cut off when the budget is used up; None: no folder has this name.

        Raises DppctlError then; GitError when it only looks as if there were none.
        """
        if (answer := self._ask(name)) is None:
            self._check_absence(name)
            return None
        return self._entries(answer, budget)

    def _check_absence(self, name: str) -> None:
        """Raise GitError when the copy has lost what a commit has at a path (COMMIT:PATH): git calls both `missing`.

        So the folders of the commit are looked through: only they say that there is no such file. One who asks for an
        id knows what it means that it is not here.
        """
        commit, colon, path = name.partition(":")
        if colon and self._is_named(f"{commit}:", path.split("/") if path else []):
            raise self._git.failure("cat-file", f"{name} is missing in the copy", CopyError)

    def _is_named(self, above: str, parts: Sequence[str]) -> bool:
        """Return whether what is missing at a path below a folder should be here, or one of the folders above it."""
        for number, part in enumerate(parts, 1):
            if self._absences is None:
                return False
            if (answer := self._ask(above)) is None:
                return True
            try:
                entries = self._entries(answer, self._absences) or []
            except GitError:
                raise
            except DppctlError:  # there are too many files to be sure
                self._absences = None
                return False
            entry = next((found for found in entries if found.name == part), None)
            if entry is None or entry.is_submodule or (number < len(parts) and not entry.is_folder):
                return False
            above = entry.identity
        return True

    def _entries(self, answer: _Answer, budget: LookBudget) -> list[FolderEntry] | None:
        """Return a folder's listing; None: it is no folder. Raises DppctlError when the budget is used up."""
        _, kind, _, stream = answer
        found: list[FolderEntry] = []
        rest = b""
        try:
            for piece in self._pieces(stream):
                budget.spend_bytes(len(piece))
                if kind == "tree":
                    before, (entries, rest) = len(found), _split(rest + piece)
                    found += entries
                    budget.spend_paths(len(found) - before)
        except DppctlError:
            self._runner.clear_cache()  # what it was asked last is still on its way
            raise
        return found if kind == "tree" else None

    def _object(self, answer: _Answer, limit: int) -> Object:
        """Return an object, its content None when that is larger than `limit` bytes."""
        identity, kind, size, stream = answer
        content = None
        if size <= limit:
            content = b"".join(self._pieces(stream))
        elif size <= _SKIPPED_BYTES:
            for _ in self._pieces(stream):
                pass
        else:
            self._runner.clear_cache()  # it is on its way; the next question is for another git
        return Object(kind, identity, content)

    def _keep(self, name: str, found: Object) -> Object:
        if found.content is not None and len(found.content) <= MAX_CONFIG_BYTES and len(self._known) < _MOST_KNOWN:
            self._known[name] = found
        return found

    def _missing(self, identity: str) -> GitError:
        return self._git.failure("cat-file", f"{identity} is missing", CopyError)

    def _ask_each(self, identities: Sequence[str]) -> Iterator[_Answer]:
        """Yield what git answers to each; many questions are on their way. Raises GitError for what is missing."""
        try:
            for start in range(0, len(identities), _AHEAD):
                asked = identities[start : start + _AHEAD]
                with self._failing():
                    self._runner.ask_ahead(asked)
                for identity in asked:
                    if (answer := self._ask(identity)) is None:
                        raise self._missing(identity)
                    yield answer
        finally:
            if self._runner.is_asked_ahead:
                self._runner.clear_cache()

    def _ask(self, name: str) -> _Answer | None:
        """Return what git answers; None: there is none."""
        with self._failing():
            try:
                identity, kind, size, stream = self._runner.stream_object_data(name)
            except ValueError:
                return None
        content: Any = stream
        return text_of(identity), text_of(kind), size, content

    def _pieces(self, content: Content) -> Iterator[bytes]:
        with self._failing():
            yield from content.pieces()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Say as GitError what goes wrong with git in this context."""
        try:
            yield
        except (OSError, EOFError) as error:
            self._runner.clear_cache()
            failed = TransientGitError if isinstance(error, TimeoutError) else CopyError
            raise self._git.failure("cat-file", str(error), failed) from None


def _split(listing: bytes) -> tuple[list[FolderEntry], bytes]:
    """Return the entries of a part of a folder's listing, and the beginning of the one after them."""
    found, end = [], 0
    while entry := _ENTRY.match(listing, end):
        found.append(FolderEntry(entry[1].decode(), entry[2].decode(errors="replace"), entry[3].hex()))
        end = entry.end()
    if len(listing) - end > _MAX_ENTRY_BYTES:
        raise DppctlError(f"a file's name has more than {_MAX_ENTRY_BYTES:,} bytes")
    return found, listing[end:]
