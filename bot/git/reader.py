"""Reading an open repository: what is true at a commit.

A look asks for some ten objects. One git that stays (GitPython's object database: `git cat-file --batch`) answers
them all, where a git for each question would take three times as long.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bot.errors import DppctlError
from bot.git.budget import LookBudget
from bot.git.command import Git
from bot.git.errors import GitError
from bot.git.gitpython import Repository
from bot.git.objects import PASSING_BYTES, FolderEntry, ObjectReader
from bot.git.refs import RefReader
from bot.limits import MAX_LOOK_BYTES
from bot.model.decisions import Ref
from bot.model.names import kind_and_name, short

_MAX_PATH = 4096  # no disk takes a longer one
_SMALL_FOLDER, _MOST_KNOWN = 100, 100  # entries and folders
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")


class GitReader:
    """What a kept copy of a repository holds. Made by `Mirror.open`; for one thread, and one look: it has a budget.

    All methods raise GitError when git fails, and DppctlError for what is larger than a limit.
    """

    def __init__(self, git: Git, repository: Repository, folder: Path, listing: str, head: str | None) -> None:
        """Take the open repository, the branches and tags as `git ls-remote` listed them, and the default's commit."""
        self._git = git
        self._folder = folder
        self._head = head or "HEAD"
        self._budget = LookBudget()
        self._links_budget = LookBudget()  # folders that are listed to say what is wrong
        self._objects = ObjectReader(git, repository.runner)
        self._refs = RefReader(git, folder, self._objects, listing, self._budget)

    def refs(self) -> dict[Ref, int]:
        """Return the branches and tags that can be deployed, and when each was made (unix time)."""
        return self._refs.usable

    def left_out(self) -> dict[str, str]:
        """Return the other branches and tags, by their full names: why they cannot be deployed."""
        return self._refs.left_out

    def old_tags(self) -> dict[str, str]:
        """Return the commits of the tags that are left out because others are newer, by their full names."""
        return self._refs.old_tags

    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]:
        """Return files by (commit, path): their content, or None where there is none; `limit`: bytes of one file."""
        return {key: self._file(":".join(key), limit, ":".join(key)) for key in paths}

    def read_each(
        self, paths: Iterable[tuple[str, str]], limit: int
    ) -> dict[tuple[str, str], bytes | DppctlError | None]:
        """Return the same, with the error in the place of a file that is too large."""
        return {key: self._file_or_error(":".join(key), limit) for key in paths}

    def versions(
        self, commits: Iterable[str], path: str, limit: int, most: int
    ) -> tuple[dict[str, str | DppctlError | None], dict[str, bytes]]:
        """Return a file at each commit, by its id, and what the files with these ids hold.

        `limit`: bytes of one file; `most`: of all with different contents. None: there is no such file; an error: it is
        not read.
        """
        found: dict[str, str | DppctlError | None] = {}
        contents: dict[str, bytes] = {}
        left = most
        for commit in commits:
            try:
                entry = self._objects.find(f"{commit}:{path}", limit)
                if entry is None or entry.kind != "blob":
                    found[commit] = None
                    continue
                content = _within(entry.content, limit, f"{commit}:{path}")
                if entry.identity not in contents:
                    self._budget.spend_bytes(len(content))
                    if (left := left - len(content)) < 0:
                        raise DppctlError(
                            f"{path} is not read here, as the different ones of newer branches and tags have "
                            f"{most // 1024:,} KB together, and more is not read; delete old branches and tags"
                        )
                    contents[entry.identity] = content
                found[commit] = entry.identity
            except GitError:
                raise
            except DppctlError as error:
                found[commit] = error
        return found, contents

    def read_below(
        self, commit: str, path: str, wanted: Callable[[str], bool], limit: int, most: int = MAX_LOOK_BYTES
    ) -> dict[str, bytes | None]:
        """Return the wanted files below a folder, by their path relative to it; None: it is a symbolic link.

        `limit`: bytes of one file; `most`: of all with different contents.
        """
        top = self._objects.list_folder(f"{commit}:{path}", self._budget)
        if top is None:
            raise DppctlError(f"there is no folder {path} at {commit[:12]}")
        files = sorted(entry for entry in self._files_below(top) if wanted(entry[0]))
        names: dict[str, str] = {}  # by id, the first file with that content
        for name, identity in files:
            if identity:
                names.setdefault(identity, name)
        contents: dict[str, bytes] = {}
        left = most
        objects = self._objects.get_each([*names], limit, self._budget)
        for (identity, name), found in zip(names.items(), objects, strict=True):
            contents[identity] = _within(found.content, limit, name)
            if (left := left - len(contents[identity])) < 0:
                limit_text = f"more than {most // 1024:,} KB"
                raise DppctlError(f"{name}: with the files before it that is {limit_text}; make them smaller")
        return {name: contents[identity] if identity else None for name, identity in files}

    def has(self, commit: str) -> bool:
        """Return whether the copy has a commit."""
        return self._commit(commit) is not None

    def link(self, commit: str, path: str) -> str | None:
        """Return the first part of a path that is a symbolic link at a commit (`apps` of `apps/one`), or None."""
        parts = path.split("/")
        try:
            for depth, name in enumerate(parts):
                folder = self._objects.list_folder(f"{commit}:{'/'.join(parts[:depth])}", self._links_budget)
                if any(entry.name == name and entry.is_link for entry in folder or ()):
                    return "/".join(parts[: depth + 1])
        except GitError:
            raise
        except DppctlError:  # there are too many folders to look for it
            return None
        return None

    def entries(self, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, str] | None]:
        """Return what is at each path of a commit: its kind (`blob`, also for a link, or `tree`) and id, or None."""
        found = {path: self._objects.find(f"{commit}:{path}", PASSING_BYTES) for path in paths}
        return {path: (entry.kind, entry.identity) if entry else None for path, entry in found.items()}

    def folders(self, commit: str, path: str) -> list[str]:
        """Return the names of the folders in a folder; none without that."""
        found = self._objects.list_folder(f"{commit}:{path}", self._budget)
        return [entry.name for entry in found or () if entry.is_folder]

    def trees(self, commits: Collection[str], path: str) -> dict[str, str | None]:
        """Return the id of a folder's content at each commit; None without the folder, or without the commit."""
        known = {commit for commit in commits if self.has(commit)}
        found = {commit: self._objects.find(f"{commit}:{path}", PASSING_BYTES) for commit in known}
        trees = {commit: tree.identity for commit, tree in found.items() if tree and tree.kind == "tree"}
        return {commit: trees.get(commit) for commit in commits}

    def message(self, commit: str) -> str:
        """Return a commit's message."""
        entry = self._objects.get(commit, PASSING_BYTES)
        return _within(entry.content, PASSING_BYTES, commit).partition(b"\n\n")[2].decode(errors="replace")

    def author(self, commit: str) -> str:
        """Return the name of a commit's author: https://git-scm.com/docs/git-commit-tree#_commit_information."""
        header = _within(self._objects.get(commit, PASSING_BYTES).content, PASSING_BYTES, commit).partition(b"\n\n")[0]
        lines = [line for line in header.split(b"\n") if line.startswith(b"author ")]
        return lines[0][len(b"author ") :].rpartition(b" <")[0].decode(errors="replace") if lines else ""

    def resolve(self, name: str) -> Ref:
        """Return what a person calls a branch, a tag or a commit.

        Raises DppctlError when there is no such thing, or two.
        """
        refs = {ref.name: ref for ref in self.refs()}
        meant = [refs[full] for full in (name, f"refs/heads/{name}", f"refs/tags/{name}") if full in refs]
        if len(meant) > 1:
            raise DppctlError(f"{name} is a branch and a tag; say refs/heads/{name} or refs/tags/{name}")
        if meant:
            return meant[0]
        commit = self._commit(f"{name}^{{commit}}") if _ABBREVIATED.fullmatch(name) else None
        if commit and self._git.run(self._folder, "for-each-ref", "--count=1", f"--contains={commit}"):
            return Ref(commit, commit)
        for ref, problem in self.left_out().items():
            if name in (ref, short(ref)):
                raise DppctlError(f"{kind_and_name(ref)} cannot be deployed: {problem}")
        raise DppctlError(f"there is no branch, tag or commit {name[:200]!r}")

    def holds(self, commit: str, end: str) -> bool:
        """Tell whether a commit is `end`, or one before it; it is not when it is not here."""
        self._objects.get(end)
        if not self._commit(commit):
            return False
        return not self._git.run(self._folder, "rev-list", "--max-count=1", f"{end}..{commit}")

    def last_change(self, path: str, form: str = "%H") -> str:
        """Return the newest commit of the default branch that changed a file, in git's format; "" without one."""
        found = self._git.run(self._folder, "log", "-1", f"--format={form}", self._head, "--", path)
        return found.decode(errors="replace").strip("\n")

    def log(self, pattern: str, form: str, most: int) -> list[str]:
        """Return the default branch's newest commits whose message matches, one line each, in git's format."""
        found = self._git.run(self._folder, "log", f"-{most}", f"--grep={pattern}", f"--format={form}", self._head)
        return found.decode(errors="replace").splitlines()

    def _files_below(self, top: Sequence[FolderEntry]) -> Iterator[tuple[str, str]]:
        """Yield the path and the id of each regular file below a folder's listing; of a symbolic link no id."""
        folders, known = [("", top)], dict[str, Sequence[FolderEntry]]()  # the same folder may be in many places
        while folders:
            above, listing = folders.pop()
            inner: list[tuple[str, str]] = []
            for entry in listing:
                path = above + entry.name
                if len(path) > _MAX_PATH:
                    raise DppctlError(f"{path[:100]}…: this path has more than {_MAX_PATH:,} characters; shorten it")
                if entry.is_file or entry.is_link:
                    yield path, entry.identity if entry.is_file else ""
                elif entry.is_folder:
                    inner.append((f"{path}/", entry.identity))
            folders += self._listed(inner, known)

    def _listed(
        self, folders: Sequence[tuple[str, str]], known: dict[str, Sequence[FolderEntry]]
    ) -> list[tuple[str, Sequence[FolderEntry]]]:
        """Return folders, which are given by path and id, with their listings; those of small ones are known then."""
        new = list(dict.fromkeys(identity for _, identity in folders if identity not in known))
        listings = dict(zip(new, self._objects.list_each(new, self._budget), strict=True))
        counted = set(new)
        found: list[tuple[str, Sequence[FolderEntry]]] = []
        for path, identity in folders:
            below = listings[identity] if identity in listings else known[identity]
            if identity not in counted:
                self._budget.spend_paths(len(below))
            counted.discard(identity)
            found.append((path, below))
        small = {identity: below for identity, below in listings.items() if len(below) < _SMALL_FOLDER}
        known |= dict(islice(small.items(), _MOST_KNOWN - len(known)))
        return found

    def _file(self, name: str, limit: int, shown: str) -> bytes | None:
        """Return a file's content, None for what is no file; in messages it is called `shown`."""
        found = self._objects.find(name, limit)
        return _within(found.content, limit, shown) if found and found.kind == "blob" else None

    def _file_or_error(self, name: str, limit: int) -> bytes | DppctlError | None:
        try:
            return self._file(name, limit, name)
        except GitError:
            raise
        except DppctlError as error:
            return error

    def _commit(self, name: str) -> str | None:
        """Return the id of the commit that has this name, or None."""
        found = self._objects.find(name, PASSING_BYTES)
        return found.identity if found and found.kind == "commit" else None


def _within(content: bytes | None, limit: int, shown: str) -> bytes:
    if content is None:
        raise DppctlError(f"{shown}: larger than {limit // 1024} KB")
    return content
