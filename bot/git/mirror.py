"""A bare copy of a repository that is kept between uses, and made equal to the repository when that is asked.

Beside the copy lies the last answer of `git ls-remote`: it says what changed since without a fetch, and it is the list
of branches and tags that a look at the copy goes by. Only such an answer says that a branch or tag is gone, and one
without anything, where there was something, is believed by nobody.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bot.git.command import Git
from bot.git.commits import GoneCommitError, fetch_commit
from bot.git.copies import beside, is_broken, is_untidy, noting_broken, put_in_place, remove_remains
from bot.git.errors import CopyError, GitError, PermanentGitError, TransientGitError
from bot.git.export import Files
from bot.git.origin import Origin
from bot.git.reader import GitReader
from bot.limits import GC_SECONDS, MAX_FETCHED_REFS
from bot.logs import get_logger
from bot.model.names import short

_log = get_logger("dppctl.git")

_BRANCH = re.compile(r"^ref: (refs/heads/\S+)\tHEAD$", re.MULTILINE)
_HEAD = re.compile(r"^([0-9a-f]{40,64})\tHEAD$", re.MULTILINE)
_REF = re.compile(r"^[0-9a-f]{40,64}\t(refs/(?:heads|tags)/.*?)(?<!\^\{\})$", re.MULTILINE)
_LISTING = re.compile(r"(?:(?:ref: [^\t\n]+|[0-9a-f]{40,64})\t[^\t\n]+\n)*")


class BusyError(TransientGitError):
    """The copy is being refreshed, which takes long."""


class Mirror:
    """One repository. Threads that share it take turns, by `use`."""

    def __init__(self, git: Git, url: str, folder: Path) -> None:
        """Take the repository's URL, and the folder of the copy, which need not be there yet."""
        self._git = git
        self._url = url
        self.folder = folder
        self.seen = ""  # all branches and tags, as they were at the last refresh
        self._is_clean = False
        self._used = threading.Lock()
        self.host = urlsplit(url).hostname or ""  # "": it lies on this machine

    @contextmanager
    def use(self, seconds: float = -1) -> Iterator[None]:
        """Have the copy to oneself in this context. Raises BusyError when it is in use for so long (-1: waits)."""
        if not self._used.acquire(timeout=seconds):
            raise BusyError(f"{self._url} is being fetched already, which takes long; try again later")
        try:
            yield
        finally:
            self._used.release()

    def refresh(self, *, keeps_head: bool = False) -> None:
        """Make the copy equal to the repository; when nothing changed, that costs one `ls-remote`.

        `keeps_head`: a default branch that is gone is not believed either. A copy that cannot be used is made anew.
        Raises GitError; then all is as it was.
        """
        if not self._is_clean:  # what the process before this left
            remove_remains(self.folder, submodules=True)
            for what in ("new", "old"):
                shutil.rmtree(beside(self.folder, what), ignore_errors=True)
            self._is_clean = True
        if is_broken(self.folder):
            return self._renew("it could not be read", keeps_head=keeps_head)
        try:
            return self._update(keeps_head=keeps_head)
        except CopyError as error:
            return self._renew(str(error), keeps_head=keeps_head)

    def run(self, *arguments: str, stdin: bytes = b"", config: Mapping[str, str] | None = None) -> bytes:
        """Run git in the copy as `Git.run` does; what a git that fails leaves there is removed.

        Where that may have been in the way, git is run once more.
        """
        try:
            return self._git.run(self.folder, *arguments, stdin=stdin, config=config)
        except TransientGitError as error:
            remove_remains(self.folder)
            if not isinstance(error, CopyError):
                raise
            _log.warning("git failed", folder=self.folder, error=error)
        with noting_broken(self.folder):
            return self._git.run(self.folder, *arguments, stdin=stdin, config=config)

    def _update(self, *, keeps_head: bool, known: str = "") -> None:
        """Do what `refresh` says; `known`: the listing of the copy that this one is to replace."""
        kept = self._kept()
        if kept is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.run("init", "--quiet", "--bare")
        wanted = ("--symref", "--", self._url, "HEAD", "refs/heads/*", "refs/tags/*")
        listing = self.run("ls-remote", *wanted).decode(errors="replace")
        if listing != kept:
            if (count := len(_REF.findall(listing))) > MAX_FETCHED_REFS:
                message = (
                    f"the repository has {count:,} branches and tags, and {MAX_FETCHED_REFS:,} are fetched at most"
                )
                raise self._git.failure("fetch", f"{message}; delete old ones", PermanentGitError)
            self._refuse_absence(kept or known, listing, keeps_head=keeps_head)
            head = _BRANCH.search(listing)
            if head and (not (old := _BRANCH.search(kept or "")) or old[1] != head[1]):
                self.run("symbolic-ref", "HEAD", head[1])
            self._drop_gone(kept, listing)
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._fetch(*refs)
            self._seen_file.write_text(listing)
        self.seen = listing

    def _fetch(self, *refs: str) -> None:
        self.run("fetch", "--progress", "--no-tags", "--", self._url, *refs)
        if not is_untidy(self.folder):
            return
        try:
            self._git.run(self.folder, "gc", "--auto", "--quiet", seconds=GC_SECONDS)
        except GitError as error:  # what was fetched is there all the same
            remove_remains(self.folder)
            _log.warning("copy is not tidied up", folder=self.folder, error=error)

    def _renew(self, why: str, *, keeps_head: bool) -> None:
        """Make a copy beside the old one, which then takes its place."""
        _log.warning("copy is made anew", folder=self.folder, reason=why)
        fresh = Mirror(self._git, self._url, beside(self.folder, "new"))
        shutil.rmtree(fresh.folder, ignore_errors=True)
        fresh._update(keeps_head=keeps_head, known=self._listing)
        put_in_place(fresh.folder, self.folder)
        self.seen = fresh.seen

    def push(self, ref: str, old: str | None, new: str) -> None:
        """Move the default branch, here and there, from a commit to the one that `ref` names in the copy.

        Raises GitError when it is anything else than that commit by now, whoever moved it; then nothing has changed.
        """
        branch = self._branch() if old or _BRANCH.search(self._listing) else self._unborn_branch()
        # As a named remote, for then git moves the copy's branch too: https://git-scm.com/docs/git-push
        remote = {"remote.there.url": self._url, "remote.there.fetch": "+refs/heads/*:refs/heads/*"}
        # The lease names the old commit; the new one comes after it, so nothing is ever lost by this.
        lease = f"--force-with-lease={branch}:{old or ''}"
        self.run("push", "--quiet", lease, "there", f"{ref}:{branch}", config=remote)
        self._note(branch, old, new)

    def catch_up(self) -> None:
        """Get the default branch, for one who knows that it moved: sooner done than `refresh`."""
        if not self.seen or (old := self.head()) is None:
            return self.refresh()
        branch = self._branch()
        self._fetch(f"+{branch}:{branch}")
        self._note(branch, old, self.run("rev-parse", "--verify", branch).decode().strip())
        return None

    def head(self) -> str | None:
        """Return the commit of the default branch at the last refresh, or None in an empty repository."""
        listing = self._listing
        if listing and not (found := _HEAD.search(listing)):  # the repository's HEAD names a branch that is not there
            found = re.search(rf"^(\w+)\t{re.escape(self._branch())}$", listing, re.MULTILINE)
        return found[1] if listing and found else None

    @contextmanager
    def open(self) -> Iterator[GitReader]:
        """Open the copy for one look at it. Raises GitError when nothing was fetched yet."""
        with noting_broken(self.folder), self._git.open(self.folder) as repository:
            yield GitReader(self._git, repository, self.folder, self._listing, self.head())

    def files(self, commit: str, path: str) -> Files:
        """Return the files below a folder, as they are at a commit."""
        return Files(self._git, self._origin, commit, path)

    def _refuse_absence(self, kept: str, listing: str, *, keeps_head: bool) -> None:
        """Raise GitError for an answer that is none, or without what was there at the last refresh."""
        if not _LISTING.fullmatch(listing):
            raise self._git.failure("ls-remote", f"the answer is no list of branches and tags: {listing[:100]!r}")
        if not _REF.search(listing) and (had := len(_REF.findall(kept)) or len(self._copied())):
            raise self._git.failure(
                "ls-remote",
                f"the repository had {had} branches and tags, and shows none now; it is asked again. "
                "If it was emptied on purpose, push a branch to it",
            )
        if keeps_head and (branch := _default_branch(kept)) and not _default_branch(listing):
            raise self._git.failure(
                "ls-remote",
                f"the default branch, {short(branch)}, is not there any more; it is looked for again. Push it, or make "
                "another one the default branch",
            )

    def _drop_gone(self, kept: str | None, listing: str) -> None:
        """Delete the copy's branches and tags that are gone; a fetch would also take none for all gone."""
        names = set(_REF.findall(listing))
        if kept is not None and names.issuperset(_REF.findall(kept)):
            return
        if gone := [name for name in self._copied() if name.decode(errors="replace") not in names]:
            deletions = b"".join(b"delete %b\0\0" % name for name in gone)
            self.run("update-ref", "--stdin", "-z", stdin=deletions)

    def _copied(self) -> list[bytes]:
        """Return the full names of the branches and tags that the copy has."""
        return self.run("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").splitlines()

    def names(self, commit: str) -> bool:
        """Return whether a branch or tag named this commit at the last refresh."""
        return f"{commit}\t" in self._listing

    def fetch_commit(self, commit: str) -> None:
        """Have a commit in the copy that no branch or tag may have any more.

        Raises GoneCommitError when the repository has not got it; GitError.
        """
        fetch_commit(self._git, self._origin, commit)

    def has_lost(self, commit: str) -> bool:
        """Return whether the repository, whatever the copy has, does not give this commit any more. Raises GitError."""
        with tempfile.TemporaryDirectory(prefix="dppctl-commit-") as folder:
            empty = Path(folder)
            self._git.run(empty, "init", "--quiet", "--bare")
            try:
                fetch_commit(self._git, Origin(empty, empty, self._url), commit, alone=True)
            except GoneCommitError:
                return True
        return False

    @property
    def _origin(self) -> Origin:
        return Origin(self.folder, self.folder, self._url)

    def _branch(self) -> str:
        """Return the default branch; that of the copy, where the repository names none."""
        if found := _BRANCH.search(self._listing):
            return found[1]
        return self.run("symbolic-ref", "HEAD").decode().strip()

    def _unborn_branch(self) -> str:
        """Return the branch that the HEAD of a repository without it names, which is the copy's too from now on.

        Only a clone asks for it: https://git-scm.com/docs/protocol-v2#_ls_refs (`unborn`).
        """
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            self._git.run(Path(folder), "clone", "--quiet", "--bare", "--depth=1", "--", self._url, "clone")
            branch = self._git.run(Path(folder, "clone"), "symbolic-ref", "HEAD").decode().strip()
        self._git.run(self.folder, "symbolic-ref", "HEAD", branch)
        return branch

    def _note(self, branch: str, old: str | None, new: str) -> None:
        """Note that the default branch moved, or is there now."""
        line = re.compile(rf"^{old}\t(HEAD|{re.escape(branch)})$", re.MULTILINE)
        self.seen = line.sub(rf"{new}\t\1", self.seen) if old else f"{self.seen}{new}\t{branch}\n"
        self._seen_file.write_text(self.seen)

    @property
    def _listing(self) -> str:
        """Return the branches and tags at the last refresh, which may be that of another process."""
        return self.seen or self._kept() or ""

    @property
    def _seen_file(self) -> Path:
        return self.folder / "dppctl-seen"

    def _kept(self) -> str | None:
        """Return what lies beside the copy; None without it, or when it cannot be read: then all is asked anew."""
        try:
            return self._seen_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None


def _default_branch(listing: str) -> str | None:
    """Return the branch that a listing's HEAD names and that is in it."""
    found = _BRANCH.search(listing)
    return found[1] if found and _HEAD.search(listing) else None
