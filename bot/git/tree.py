"""What a folder of a commit consists of, as git lists it."""

from contextlib import closing
from typing import NamedTuple

from bot.errors import PermanentError
from bot.git.budget import ExportBudget
from bot.git.command import Git
from bot.git.errors import PermanentGitError, TransientGitError
from bot.git.origin import Origin
from bot.limits import MAX_LINK_BYTES


class NoTreeError(PermanentGitError):
    """There is no such commit here, or no such folder in it."""


class TreeEntry(NamedTuple):
    """A file, link, folder or submodule: git's mode, its id, its size in bytes (files only) and its path."""

    mode: str
    identity: str
    size: int
    path: str

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return self.mode == "040000"

    @property
    def is_link(self) -> bool:
        """Return whether it is a symbolic link."""
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        """Return whether it is a commit of another repository."""
        return self.mode == "160000"

    @property
    def is_program(self) -> bool:
        """Return whether it is a file that can be executed."""
        return self.mode == "100755"


def list_tree(git: Git, origin: Origin, tree: str, budget: ExportBudget) -> list[TreeEntry]:
    """Return all that lies below a tree, each folder before what is in it, in git's order.

    Raises GitError, NoTreeError when there is no such tree, and PermanentError for a name that no file here can
    have, or when there is more than the budget allows.
    """
    entries, rest = list[TreeEntry](), b""
    try:
        listing = git.stream(origin.folder, "ls-tree", "--full-tree", "-r", "-t", "-z", "--long", tree)
        with closing(listing):  # what is refused ends git
            for piece in listing:
                *lines, rest = (rest + piece).split(b"\0")
                for entry in map(_entry, lines):
                    budget.spend(entry.path, entry.size)
                    entries.append(entry)
    except TransientGitError as error:
        if "Not a valid object name" in str(error):
            raise NoTreeError(str(error)) from None
        raise
    return entries


def read_file(git: Git, origin: Origin, name: str, limit: int) -> bytes:
    """Return the content of a file that git calls COMMIT:PATH.

    Raises GitError, also when there is no such file, and PermanentError when it is larger than `limit` bytes.
    """
    content = b""
    with closing(git.stream(origin.folder, "cat-file", "blob", name)) as pieces:
        for piece in pieces:
            content += piece
            if len(content) > limit:
                raise PermanentError(f"{name.partition(':')[2]}: larger than {limit // 1024:,} KB; make it smaller")
    return content


def _entry(line: bytes) -> TreeEntry:
    """Read `MODE TYPE ID SIZE<tab>PATH`, the form of https://git-scm.com/docs/git-ls-tree#_output_format."""
    about, _, name = line.partition(b"\t")
    mode, _, identity, size = about.decode().split()
    shown = name.decode(errors="backslashreplace")
    try:
        path = name.decode()
    except UnicodeDecodeError:
        raise PermanentError(f"{shown}: the name of this file is not UTF-8; rename it (git mv)") from None
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        raise PermanentError(f"{shown}: no file can have this name; it leads out of its folder, or into git's own")
    entry = TreeEntry(mode, identity, 0 if size == "-" else int(size), path)
    if entry.is_link and entry.size > MAX_LINK_BYTES:
        raise PermanentError(f"{path}: this symbolic link leads to a path of more than {MAX_LINK_BYTES:,} characters")
    return entry
