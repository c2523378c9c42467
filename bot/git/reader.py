"""Reading an open repository: what is true at a commit.

A look asks for some ten objects. One git that stays (GitPython's object database: `git cat-file --batch`) answers
them all, where a git for each question would take three times as long.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import CopyError, GitError, TransientGitError
from bot.git.gitpython import Repository, text_of
from bot.limits import MAX_CONFIG_BYTES, MAX_FOLDERS, MAX_GIT_OBJECT_BYTES
from bot.model.decisions import Ref
from bot.model.names import kind_and_name, ref_problem, short

_MOST_KNOWN = 100
_PASSING_BYTES = 2**20  # of an object that is more than we need; git is ended sooner than that we read a larger one
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
_CREATED = re.compile(rb"^(?:committer|tagger) .*> (\d+) [+-]\d+$", re.MULTILINE)
# In a folder's listing: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects
_ENTRY = re.compile(rb"([0-7]+) ([^\0]*)\0(.{20})", re.DOTALL)
_LINK = b"120000"


class Object(NamedTuple):
    """An object of git: `blob`, `tree`, `commit` or `tag`, its id, and its content, None when that was too large."""

    kind: str
    identity: str
    content: bytes | None


class GitReader:
    """What a kept copy of a repository holds. Made by `Mirror.open`; for one thread.

    All methods raise GitError when git fails, and DppctlError for what is larger than a limit.
    """

    def __init__(self, git: Git, repository: Repository, folder: Path, listing: str) -> None:
        """Take the open repository, and the branches and tags as `git ls-remote` listed them."""
        self._git = git
        self._repository = repository
        self._folder = folder
        self._listing = listing
        self._known: dict[str, Object] = {}  # small objects: a look comes back to a commit and a folder

    def refs(self) -> dict[Ref, int]:
        """Return the branches and tags that can be deployed, and when each was made (unix time)."""
        return self._refs[0]

    def left_out(self) -> dict[str, str]:
        """Return the other branches and tags, by their full names: why they cannot be deployed."""
        return self._refs[1]

    @cached_property
    def _refs(self) -> tuple[dict[Ref, int], dict[str, str]]:
        """Tell what can be deployed from what names no commit, or has a name that `bot.model.names` does not accept."""
        lines = (line.partition("\t") for line in self._listing.split("\n"))
        named = {name: identity for identity, _, name in lines if name.startswith(("refs/heads/", "refs/tags/"))}
        found, left_out = {}, {}
        for name, identity in named.items():
            if name.endswith("^{}"):
                continue
            if problem := ref_problem(name):
                left_out[name] = problem
                continue
            entry = self._existing(identity)
            commit = named.get(f"{name}^{{}}", identity)  # of a tag that is an object: what it tags in the end
            named_kind = self._existing(commit).kind if entry.kind == "tag" else entry.kind
            if named_kind == "commit":
                created = _CREATED.search((entry.content or b"").partition(b"\n\n")[0])
                found[Ref(name, commit)] = int(created[1]) if created else 0
            else:
                left_out[name] = f"it names a {named_kind}, and only a commit can be deployed"
        return found, left_out

    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]:
        """Return files by (commit, path): their content, or None where there is none; `limit`: bytes of one file."""
        return {key: self._file(":".join(key), limit, ":".join(key)) for key in paths}

    def read_each(
        self, paths: Iterable[tuple[str, str]], limit: int
    ) -> dict[tuple[str, str], bytes | DppctlError | None]:
        """Return the same, with the error in the place of a file that is too large."""
        return {key: self._file_or_error(":".join(key), limit) for key in paths}

    def read_below(self, commit: str, path: str, wanted: Callable[[str], bool], limit: int) -> dict[str, bytes | None]:
        """Return the wanted files below a folder, by their path relative to it; None: it is a symbolic link.

        `limit`: bytes of one file.
        """
        top = self._object(f"{commit}:{path}", MAX_GIT_OBJECT_BYTES)
        if top is None or top.kind != "tree":
            raise DppctlError(f"there is no folder {path} at {commit[:12]}")
        files = self._files_below(_within(top.content, MAX_GIT_OBJECT_BYTES, path))
        asked = sorted((name, identity) for name, identity in files if wanted(name))
        return {name: self._file(identity, limit, name) if identity else None for name, identity in asked}

    def has(self, commit: str) -> bool:
        """Return whether the copy has a commit."""
        return self._commit(commit) is not None

    def link(self, commit: str, path: str) -> str | None:
        """Return the first part of a path that is a symbolic link at a commit (`apps` of `apps/one`), or None."""
        parts = path.split("/")
        for depth, name in enumerate(parts):
            tree = self._object(f"{commit}:{'/'.join(parts[:depth])}", MAX_GIT_OBJECT_BYTES)
            if tree is None or tree.kind != "tree":
                return None
            listing = _within(tree.content, MAX_GIT_OBJECT_BYTES, path)
            if any(found == name.encode() and mode == _LINK for mode, found, _ in _ENTRY.findall(listing)):
                return "/".join(parts[: depth + 1])
        return None

    def entries(self, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, str] | None]:
        """Return what is at each path of a commit: its kind (`blob`, also for a link, or `tree`) and id, or None."""
        found = {path: self._object(f"{commit}:{path}", _PASSING_BYTES) for path in paths}
        return {path: (entry.kind, entry.identity) if entry else None for path, entry in found.items()}

    def trees(self, commits: Iterable[str], path: str) -> dict[str, str | None]:
        """Return the id of a folder's content at each commit; None without the folder, or without the commit."""
        found = {commit: self._object(f"{commit}:{path}", _PASSING_BYTES) for commit in set(commits)}
        return {commit: tree.identity if tree and tree.kind == "tree" else None for commit, tree in found.items()}

    def message(self, commit: str) -> str:
        """Return a commit's message."""
        entry = self._existing(commit, _PASSING_BYTES)
        return _within(entry.content, _PASSING_BYTES, commit).partition(b"\n\n")[2].decode(errors="replace")

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
        """Tell whether a commit is `end`, or one before it; it is not when one of the two is not here."""
        if not (self._commit(commit) and self._commit(end)):
            return False
        return not self._git.run(self._folder, "rev-list", "--max-count=1", f"{end}..{commit}")

    def last_change(self, path: str, form: str = "%H") -> str:
        """Return the newest commit of the default branch that changed a file, in git's format; "" without one."""
        found = self._git.run(self._folder, "log", "-1", f"--format={form}", "HEAD", "--", path)
        return found.decode(errors="replace").strip("\n")

    def log(self, pattern: str, form: str, most: int) -> list[str]:
        """Return the default branch's newest commits whose message matches, one line each, in git's format."""
        found = self._git.run(self._folder, "log", f"-{most}", f"--grep={pattern}", f"--format={form}", "HEAD")
        return found.decode(errors="replace").splitlines()

    def _files_below(self, tree: bytes) -> Iterator[tuple[str, str]]:
        """Yield the path and the id of each regular file below a folder's listing; of a symbolic link no id."""
        folders, left = [("", tree)], MAX_FOLDERS
        while folders:
            above, listing = folders.pop()
            for mode, name, identity in _ENTRY.findall(listing):
                path = above + name.decode(errors="replace")
                if mode.startswith(b"100"):
                    yield path, identity.hex()
                elif mode == _LINK:
                    yield path, ""
                elif mode == b"40000":
                    if (left := left - 1) < 0:
                        raise DppctlError(f"there are more than {MAX_FOLDERS} folders")
                    below = self._existing(identity.hex(), MAX_GIT_OBJECT_BYTES)
                    folders.append((f"{path}/", _within(below.content, MAX_GIT_OBJECT_BYTES, path)))

    def _file(self, name: str, limit: int, shown: str) -> bytes | None:
        """Return a file's content, None for what is no file; in messages it is called `shown`."""
        found = self._object(name, limit)
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
        found = self._object(name, _PASSING_BYTES)
        return found.identity if found and found.kind == "commit" else None

    def _existing(self, identity: str, limit: int = _PASSING_BYTES) -> Object:
        """Return an object that something else names, as `_object` does. Raises GitError when it is missing."""
        found = self._object(identity, limit)
        if found is None:
            raise self._git.failure("cat-file", f"{identity} is missing", CopyError)
        return found

    def _object(self, name: str, limit: int) -> Object | None:
        """Return an object, its content None when that is larger than `limit` bytes; None: nothing has this name.

        Raises GitError.
        """
        if (known := self._known.get(name)) and known.content is not None and len(known.content) <= limit:
            return known
        runner = self._repository.git
        try:
            identity, kind, size, stream = runner.stream_object_data(name)
            content = stream.read() if size <= limit else None
        except ValueError:
            return None
        except (OSError, EOFError) as error:
            runner.clear_cache()  # what it was asked last may still come
            failed = TransientGitError if isinstance(error, TimeoutError) else CopyError
            raise self._git.failure("cat-file", str(error), failed) from None
        if content is None:
            runner.clear_cache()  # it is on its way; the next question is for another git
        found = Object(text_of(kind), text_of(identity), content)
        if content is not None and size <= MAX_CONFIG_BYTES and len(self._known) < _MOST_KNOWN:
            self._known[name] = found
        return found


def _within(content: bytes | None, limit: int, shown: str) -> bytes:
    if content is None:
        raise DppctlError(f"{shown}: larger than {limit // 1024} KB")
    return content
