"""What `dppctl init --local` makes: repositories, a remote, and the hook that tells the receiver of pushes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.git.command import Git
from bot.git.errors import NoRepositoryError
from cli.errors import InputError
from cli.init.local import post_receive
from cli.init.steps.step import Change

_README = b"What each environment runs. dppctl's bot commits here.\n"
_USER = {"user.name": "dppctl", "user.email": "dppctl@localhost"}


@dataclass(frozen=True)
class CloneStep:
    """The app's folder is in a git repository."""

    git: Git
    folder: Path
    exists: bool
    branch: str

    def observe(self) -> Change | str:
        """Say so; a change makes it one."""
        if self.exists:
            return f"{self.folder.absolute()} is in a git repository"
        return Change(f"make {self.folder.absolute()} a git repository", self._init)

    def _init(self) -> None:
        self.git.run(self.folder, "init", "--quiet", f"--initial-branch={self.branch}")


@dataclass(frozen=True)
class BareStep:
    """There is a bare repository to push to; `begun`: with a first commit, as an ops repo wants one."""

    git: Git
    folder: Path
    what: str
    branch: str
    begun: bool = False

    def observe(self) -> Change | str:
        """Look for it, and for its first commit. Raises InputError where something else is in its place."""
        if not self.folder.exists():
            return Change(f"make {self.what}: {self.folder}", self._make)
        try:
            self._run("rev-parse", "--git-dir")
        except NoRepositoryError:
            raise InputError(f"{self.folder} is no git repository, and {self.what} is to be there; move it") from None
        if self.begun and not self._run("for-each-ref", "--count=1").strip():
            return Change(f"put a first commit into {self.what}: {self.folder}", self._begin)
        return f"{self.what}: {self.folder}"

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be made: {error.strerror}") from None
        self._run("init", "--quiet", "--bare", f"--initial-branch={self.branch}")
        if self.begun:
            self._begin()

    def _begin(self) -> None:
        blob = self._run("hash-object", "-w", "--stdin", stdin=_README)
        tree = self._run("mktree", stdin=f"100644 blob {blob}\tREADME.md\n".encode())
        commit = self._run("commit-tree", tree, "-m", "Start")
        self._run("update-ref", f"refs/heads/{self.branch}", commit)

    def _run(self, *arguments: str, stdin: bytes = b"") -> str:
        return self.git.run(self.folder, *arguments, stdin=stdin, config=_USER).decode(errors="replace").strip()


@dataclass(frozen=True)
class RemoteStep:
    """The clone knows where to push to."""

    git: Git
    folder: Path
    name: str
    known: str | None
    url: Path

    def observe(self) -> Change | str:
        """Compare the remote; one that leads elsewhere is left alone, as it is somebody's."""
        if self.known is not None:
            return f"the remote {self.name} is {self.known}"
        return Change(f"add the remote {self.name}: {self.url}", self._add)

    def _add(self) -> None:
        self.git.run(self.folder, "remote", "add", self.name, str(self.url))


@dataclass(frozen=True)
class HookStep:
    """A push to the app's repository is told to the receiver, signed, as GitHub does it."""

    git: Git
    bare: Path
    repository: str
    url: Callable[[], str]  # of the receiver, once its port is known
    secret_file: Path

    def observe(self) -> Change | str:
        """Compare the hook and its settings. Raises InputError for a hook of somebody else's."""
        if not self.bare.exists():
            return Change(self._text, self._write)
        if self.file.exists() and "dppctl.secretFile" not in self.file.read_text(errors="replace"):
            raise InputError(
                f"{self.file} is a hook of yours; call {post_receive.__file__} from it with the same stdin"
            )
        settings = {name: self.git.configured(self.bare, f"dppctl.{name}") for name in self._settings()}
        if self.file.exists() and self.file.read_text() == hook_text() and settings == self._settings():
            return f"the hook in {self.bare} tells {self.url()}"
        return Change(self._text, self._write)

    @property
    def file(self) -> Path:
        """Return the hook's file."""
        return self.bare / "hooks" / "post-receive"

    @property
    def _text(self) -> str:
        return f"have pushes to {self.repository} told to {self.url()} (a hook in {self.bare})"

    def _settings(self) -> dict[str, str]:
        """Return what the hook reads by `git config`."""
        return {"url": self.url(), "repository": self.repository, "secretFile": str(self.secret_file)}

    def _write(self) -> None:
        for name, value in self._settings().items():
            self.git.run(self.bare, "config", f"dppctl.{name}", value)
        try:
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_text(hook_text())
            self.file.chmod(0o755)
        except OSError as error:
            raise InputError(f"{self.file} cannot be written: {error.strerror}") from None


def hook_text() -> str:
    """Return the hook: it runs in dppctl's own Python, as another may be on PATH when somebody pushes."""
    text = Path(post_receive.__file__).read_text()
    return f"#!{sys.executable}\n{text.partition(chr(10))[2]}"
