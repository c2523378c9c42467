"""A bare copy of a repository that is kept between uses; read through it what is true at a commit."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from bot.errors import DppctlError
from bot.git.command import Git, GitError
from bot.git.export import export
from bot.model.decisions import Ref
from bot.model.names import is_ref

K = TypeVar("K")
_BRANCH = re.compile(r"^ref: (refs/heads/\S+)\tHEAD$", re.MULTILINE)
_HEAD = re.compile(r"^([0-9a-f]{40,64})\tHEAD$", re.MULTILINE)
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")


class Mirror:
    """One repository. Not to be shared between threads."""

    def __init__(self, git: Git, url: str, folder: Path) -> None:
        self._git = git
        self._url = url
        self.folder = folder
        self.seen = ""  # all branches and tags, as they were at the last refresh

    def refresh(self) -> None:
        """Make the copy equal to the repository; when nothing changed, that costs one `ls-remote`."""
        if self._seen() is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._git(self.folder, "init", "--quiet", "--bare")
        wanted = ("--symref", "--", self._url, "HEAD", "refs/heads/*", "refs/tags/*")
        there = self._git(self.folder, "ls-remote", *wanted).decode(errors="replace")
        seen = self._seen() or ""
        if there != seen:
            head = _BRANCH.search(there)
            if head and (not (old := _BRANCH.search(seen)) or old[1] != head[1]):
                self._git(self.folder, "symbolic-ref", "HEAD", head[1])
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._git(self.folder, "fetch", "--quiet", "--prune", "--no-tags", "--", self._url, *refs)
            self._seen_file.write_text(there)
        self.seen = there

    def push(self, ref: str, old: str | None, new: str) -> None:
        """Move the default branch, here and there, from a commit to the one that `ref` names in the copy.

        Raises GitError when somebody else has moved it meanwhile; then nothing has changed.
        """
        branch = self.branch()
        # As a named remote, for then git moves the copy's branch too: https://git-scm.com/docs/git-push
        there = {"remote.there.url": self._url, "remote.there.fetch": "+refs/heads/*:refs/heads/*"}
        self._git(self.folder, "push", "--quiet", "there", f"{ref}:{branch}", config=there)
        if old:
            self._note(branch, old, new)

    def catch_up(self) -> None:
        """Get the default branch, for one who knows that it moved: sooner done than `refresh`."""
        if not self.seen or (old := self.head()) is None:
            return self.refresh()
        branch = self.branch()
        self._git(self.folder, "fetch", "--quiet", "--no-tags", "--", self._url, f"+{branch}:{branch}")
        self._note(branch, old, self._git(self.folder, "rev-parse", "--verify", branch).decode().strip())
        return None

    def _note(self, branch: str, old: str, new: str) -> None:
        line = re.compile(rf"^{old}\t(HEAD|{re.escape(branch)})$", re.MULTILINE)
        self.seen = line.sub(rf"{new}\t\1", self.seen)
        self._seen_file.write_text(self.seen)

    def head(self) -> str | None:
        """The commit of the default branch, or None in an empty repository."""
        if found := _HEAD.search(self.seen):
            return found[1]
        try:
            return self._git(self.folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        except GitError:
            return None

    def branch(self) -> str:
        """The default branch."""
        if found := _BRANCH.search(self.seen):
            return found[1]
        return self._git(self.folder, "symbolic-ref", "HEAD").decode().strip()

    def refs(self) -> dict[Ref, int]:
        """Return the branches and tags that name a commit, and when each was made (unix time).

        Names that `bot.model.names` does not accept are left out.
        """
        fields = ("refname", "objecttype", "objectname", "*objecttype", "*objectname", "creatordate:unix")
        wanted = "--format=" + "%00".join(f"%({field})" for field in fields)
        found = {}
        listing = self._git(self.folder, "for-each-ref", wanted, "refs/heads", "refs/tags")
        for line in listing.splitlines():  # of bytes: a name may hold what is a line's end only in Unicode
            name, kind, commit, tagged_kind, tagged, created = line.decode(errors="replace").split("\0")
            if is_ref(name) and "commit" in (kind, tagged_kind):
                found[Ref(name, tagged or commit)] = int(created or 0)
        return found

    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]:
        """Files by (commit, path): their content, or None where there is none. Two git calls for any number.

        Raises DppctlError for a file larger than `limit` bytes.
        """
        return self._objects({key: f"{key[0]}:{key[1]}" for key in paths}, limit)

    def read_below(self, commit: str, path: str, wanted: Callable[[str], bool], limit: int) -> dict[str, bytes]:
        """The wanted regular files below a folder, by their path relative to it."""
        try:
            listing = self._git(self.folder, "ls-tree", "-r", "-z", f"{commit}:{path}")
        except GitError:
            if self.trees([commit], path)[commit]:
                raise
            raise DppctlError(f"there is no folder {path} at {commit[:12]}") from None
        objects = {}
        for entry in listing.decode(errors="replace").split("\0")[:-1]:
            meta, name = entry.split("\t", 1)
            if meta.startswith("100") and wanted(name):
                objects[name] = meta.split()[2]
        return {name: content for name, content in self._objects(objects, limit).items() if content is not None}

    def entries(self, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, str] | None]:
        """What there is at each path of a commit: its kind (`blob`, also for a link, or `tree`) and id, or None."""
        found = self._kinds({path: f"{commit}:{path}" for path in paths})
        return {path: one if one[0] in ("blob", "tree", "commit") else None for path, one in found.items()}

    def trees(self, commits: Iterable[str], path: str) -> dict[str, str | None]:
        """The id of a folder's content at each commit; None where there is no such folder, or no such commit."""
        found = self._kinds({commit: f"{commit}:{path}" for commit in sorted(set(commits))})
        return {commit: identity if kind == "tree" else None for commit, (kind, identity) in found.items()}

    def message(self, commit: str) -> str:
        """A commit's message."""
        return self._git(self.folder, "show", "--no-patch", "--format=%B", commit).decode(errors="replace")

    def resolve(self, name: str) -> Ref:
        """What a person calls a branch, a tag or a commit. Raises DppctlError when there is no such thing, or two."""
        refs = {ref.name: ref for ref in self.refs()}
        meant = [refs[full] for full in (name, f"refs/heads/{name}", f"refs/tags/{name}") if full in refs]
        if len(meant) > 1:
            raise DppctlError(f"{name} is a branch and a tag; say refs/heads/{name} or refs/tags/{name}")
        if meant:
            return meant[0]
        if _ABBREVIATED.fullmatch(name):
            asked = f"{name}^{{commit}}\n".encode()
            found = self._git(self.folder, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).split()
            commit = found[1].decode()
            if found[0] == b"commit" and self._git(self.folder, "for-each-ref", "--count=1", f"--contains={commit}"):
                return Ref(commit, commit)
        raise DppctlError(f"there is no branch, tag or commit {name[:200]!r}")

    def holds(self, commit: str, end: str) -> bool:
        """Is the commit `end`, or one before it? Not when one of the two is not here."""
        if any(kind != "commit" for kind, _ in self._kinds({one: one for one in {commit, end}}).values()):
            return False
        return not self._git(self.folder, "rev-list", "--max-count=1", f"{end}..{commit}")

    def last_change(self, path: str) -> str:
        """The newest commit of the default branch that changed a file."""
        return self._git(self.folder, "log", "-1", "--format=%H", "HEAD", "--", path).decode().strip()

    def log(self, pattern: str, form: str, most: int) -> list[str]:
        """The default branch's newest commits whose message matches, one line each, in git's format."""
        found = self._git(self.folder, "log", f"-{most}", f"--grep={pattern}", f"--format={form}", "HEAD")
        return found.decode(errors="replace").splitlines()

    def export(self, commit: str, path: str, target: Path) -> None:
        """Put the files below a folder, as they are at a commit, into the new folder `target`."""
        export(self._git, self.folder, f"{commit}:{path}", target)

    def _kinds(self, names: Mapping[K, str]) -> dict[K, tuple[str, str]]:
        """The kind and the id of each object; what is missing has another kind than git's."""
        asked = "".join(f"{name}\n" for name in names.values()).encode()
        found = self._git(self.folder, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
        lines = (line.partition(" ") for line in found.decode().splitlines())
        return {key: (kind, identity) for key, (kind, _, identity) in zip(names, lines, strict=True)}

    def _objects(self, names: Mapping[K, str], limit: int) -> dict[K, bytes | None]:
        asked = "".join(f"{name}\n" for name in names.values()).encode()
        sizes = self._git(self.folder, "cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=asked)
        there = {}
        for (key, name), line in zip(names.items(), sizes.decode().splitlines(), strict=True):
            kind, size = line.rsplit(" ", 1)
            if kind == "blob":
                if int(size) > limit:
                    raise DppctlError(f"{key if isinstance(key, str) else name}: larger than {limit // 1024} KB")
                there[key] = int(size)
        asked = "".join(f"{names[key]}\n" for key in there).encode()
        stream = self._git(self.folder, "cat-file", "--batch=", stdin=asked) if there else b""
        found: dict[K, bytes | None] = dict.fromkeys(names)
        start = 0
        for key, length in there.items():
            start += 1  # the empty header's line end
            found[key] = stream[start : start + length]
            start += length + 1
        return found

    @property
    def _seen_file(self) -> Path:
        return self.folder / "dppctl-seen"

    def _seen(self) -> str | None:
        return self._seen_file.read_text() if self._seen_file.exists() else None
