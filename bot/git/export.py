"""Put the files of a commit into a folder, byte for byte.

Not by `git archive`, which leaves out what `.gitattributes` says (export-ignore), writes pointers in the place of files
that Git LFS keeps, and makes submodules empty folders. Nothing is written before all that is needed is on this disk.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PermanentError, TransientError
from bot.git.budget import ExportBudget
from bot.git.command import Git
from bot.git.commits import fetch_commit
from bot.git.lfs import MAX_POINTER_BYTES, LfsPointer, fetch_contents, find_content, read_pointer
from bot.git.objects import PASSING_BYTES, open_objects
from bot.git.origin import Origin
from bot.git.submodules import fetch_submodule, read_submodules
from bot.git.tree import NoTreeError, TreeEntry, list_tree, read_file
from bot.limits import MAX_DOCKERFILE_BYTES, MAX_SUBMODULES

# A name that this disk cannot have; another disk is no better, so the name has to change.
_BAD_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EEXIST, errno.ENOTDIR}


@dataclass(frozen=True)
class _Part:
    """The files of one repository: the app's, or a submodule's, which lies at `folder`."""

    origin: Origin
    folder: str
    entries: list[TreeEntry]
    pointers: Mapping[str, LfsPointer]


@dataclass(frozen=True)
class Files:
    """What lies below a folder of a repository at a commit. For one thread."""

    git: Git
    origin: Origin
    commit: str
    path: str = ""

    def read(self, name: str) -> str:
        """Return the text of a file that git holds itself.

        Raises GitError, and PermanentError for one that is larger than a Dockerfile may be.
        """
        path = "/".join(filter(None, (self.path, name)))
        content = read_file(self.git, self.origin, f"{self.commit}:{path}", MAX_DOCKERFILE_BYTES)
        return content.decode(errors="replace")

    def fetch(self) -> None:
        """Have all on this disk that an export needs.

        Raises PermanentError, which names the file, for what can never be exported as it is; GitError for the rest.
        """
        self._parts()

    def export(self, target: Path) -> None:
        """Put the files into the new folder `target`; when that fails, there is no such folder.

        Raises as `fetch` does, and TransientError when they cannot be written.
        """
        parts = self._parts()
        shutil.rmtree(target, ignore_errors=True)
        try:
            _make_folder(target)
            for part in parts:
                self._write(part, target / part.folder)
            _check_links(parts, target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise

    def _parts(self) -> list[_Part]:
        """Return the app's files and those of its submodules, all that git does not hold itself being fetched."""
        parts, budget = list[_Part](), ExportBudget()
        waiting = [(self.origin, self.commit, self.path, "")]
        while waiting:
            origin, commit, path, folder = waiting.pop()
            entries = self._entries(origin, commit, path, budget)
            shown = {entry: "/".join(filter(None, (self.path, folder, entry.path))) for entry in entries}
            pointers = self._pointers(origin, entries)
            named = {shown[entry]: pointers[entry.path] for entry in entries if entry.path in pointers}
            for name, pointer in named.items():
                budget.spend(name, pointer.size)
            fetch_contents(self.git, origin, commit, path, named)
            parts.append(_Part(origin, folder, entries, pointers))
            if len(parts) > MAX_SUBMODULES:
                raise PermanentError(f"{shown[entries[0]]}: there are more than {MAX_SUBMODULES} submodules")
            submodules = [entry for entry in entries if entry.is_submodule]
            said = read_submodules(self.git, origin, commit) if submodules else {}
            for entry in submodules:
                submodule = said.get("/".join(filter(None, (path, entry.path))))
                copy = fetch_submodule(self.git, origin, shown[entry], submodule, entry.identity)
                waiting.append((copy, entry.identity, "", "/".join(filter(None, (folder, entry.path)))))
        return parts

    def _entries(self, origin: Origin, commit: str, path: str, budget: ExportBudget) -> list[TreeEntry]:
        """Return what lies below a folder at a commit, which is fetched when no branch or tag has it any more."""
        with origin.reading():
            try:
                return list_tree(self.git, origin, f"{commit}:{path}", budget)
            except NoTreeError:
                fetch_commit(self.git, origin, commit)
                with open_objects(self.git, origin.folder) as objects:
                    objects.find(f"{commit}:{path}", PASSING_BYTES)  # which tells a copy that has lost it
                return list_tree(self.git, origin, f"{commit}:{path}", budget)

    def _pointers(self, origin: Origin, entries: Iterable[TreeEntry]) -> dict[str, LfsPointer]:
        small = [entry for entry in entries if entry.mode.startswith("100") and entry.size < MAX_POINTER_BYTES]
        with origin.reading(), open_objects(self.git, origin.folder) as objects:
            found = {entry.path: read_pointer(b"".join(objects.pieces(entry.identity))) for entry in small}
        return {path: pointer for path, pointer in found.items() if pointer}

    def _write(self, part: _Part, target: Path) -> None:
        with part.origin.reading(), open_objects(self.git, part.origin.folder) as objects:
            for entry in part.entries:
                with _named(entry.path):
                    file = target / entry.path
                    if entry.is_folder or entry.is_submodule:
                        _make_folder(file)
                    elif entry.is_link:
                        file.symlink_to(b"".join(objects.pieces(entry.identity)).decode(errors="surrogateescape"))
                    elif pointer := part.pointers.get(entry.path):
                        content = find_content(part.origin, pointer)
                        if content is None:
                            raise TransientError(f"{entry.path}: its content went away meanwhile")
                        with content.open("rb") as stream:
                            _write_file(file, entry, iter(lambda: stream.read(2**20), b""))
                    else:
                        _write_file(file, entry, objects.pieces(entry.identity))


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)


def _write_file(file: Path, entry: TreeEntry, content: Iterator[bytes]) -> None:
    """Write a new file: never through a link that another entry of this name made."""
    with file.open("xb") as stream:
        for piece in content:
            stream.write(piece)
        os.fchmod(stream.fileno(), 0o755 if entry.is_program else 0o644)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Say with what errors of the disk which file is meant, and whether another try may help."""
    try:
        yield
    except OSError as error:
        kind = PermanentError if error.errno in _BAD_NAME else TransientError
        raise kind(f"{path}: cannot be written: {error.strerror}") from error


def _check_links(parts: Iterable[_Part], target: Path) -> None:
    """Refuse links that end outside of the folder, once all of them are there: links may lead on to links."""
    root = os.path.realpath(target)
    for part in parts:
        for entry in part.entries:
            if entry.is_link:
                link = target / part.folder / entry.path
                end = os.path.realpath(link)
                if os.path.isabs(os.readlink(link)) or (end != root and not end.startswith(root + os.sep)):
                    shown = link.relative_to(target)
                    raise PermanentError(f"{shown}: this symbolic link leads out of the app's folder; make it a file")
