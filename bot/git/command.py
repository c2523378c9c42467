"""How the bot runs git: commands that end, and repositories that are open for a while.

Each command has a limit for its silence, and what a program starts (ssh, git-remote-https) ends with it. Values in
arguments are our own or were checked by `bot.model.names`; `bot.git.environment` has what git may know of this machine.
"""

import configparser
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.errors import DppctlError, PermanentError
from bot.git.environment import make_environment
from bot.git.errors import CopyError, GitError, PermanentGitError, TransientGitError
from bot.git.failures import explain, quote
from bot.git.gitpython import (
    InvalidGitRepositoryError,
    NoSuchPathError,
    Process,
    Repository,
    Runner,
    forget_location,
    kill_group,
    signal_group,
)
from bot.git.smart_http import NO_SERVER, TRACING, split_trace
from bot.git.ssh import SshCommand
from bot.github.credentials import Credentials
from bot.limits import GIT_END_SECONDS, GIT_LISTEN_SECONDS, GIT_SECONDS
from bot.logs import mask
from bot.model.names import is_repository
from bot.parent_death import bound_to_parent
from bot.settings import Settings

# https://git-scm.com/docs/git-clone#_git_urls, of those that go over a network; the last form is scp's.
_ANY_URL = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[\w.-]+)(?::\d+)?/|(?:[^@/:]*@)?(?P<scp>[\w.-]+):)(?P<path>[^:]*)"
)
_ASKING = ("ls-remote", "fetch", "clone")  # commands that believe an answer which is no git server's


class Git:
    """Runs git as the settings' user. Safe to use from several threads."""

    def __init__(self, settings: Settings, *, searches: bool = False) -> None:
        """Take whose git it is, and which URLs are the forge's. Raises PermanentGitError where there is no git.

        `searches`: git looks for the repository in the folders above too, as in a person's clone. Otherwise a folder is
        the repository or there is none; then it may also belong to another user.
        """
        forget_location()
        if shutil.which("git") is None:
            raise PermanentGitError("git: this program is not on PATH; install it (the package is called git)")
        self._settings, self._searches = settings, searches
        self.credentials = Credentials(settings)
        self._ssh = SshCommand(settings)
        self._environment = make_environment(settings, settings.github.token.get_secret_value())
        bases = "|".join(map(re.escape, (settings.github.url, settings.github.ssh_url)))
        self._url = re.compile(rf"(?:{bases})/([^/]+/[^/]+)\.git")
        self.user = f"{settings.github.user} <{settings.github.email}>"  # who commits
        self._secrets = settings.all_secrets
        self._running: set[Process] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.calls = self.errors = 0  # for /metrics
        self.active: dict[int, float] = {}  # by thread, when a git of it started or said something, by monotonic clock
        self.heard = 0  # it grows as long as a git that takes long says something

    def run(
        self,
        folder: Path,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float | None = None,
        config: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return what `git ARGUMENTS`, run in `folder`, writes to stdout; `config`: settings of git for this command.

        Raises GitError, also for being silent for longer than `seconds` (None: as the settings say, where it goes out
        to a server); CopyError for what may be the repository's own fault.
        """
        options = [part for item in (config or {}).items() for part in ("-c", "=".join(item))]
        name, about = arguments[0], self._repository([*options, *arguments])
        silence = seconds or (self._settings.github.silence_seconds if about else GIT_SECONDS)
        environment = self._environment_for(name, about)
        if about:
            self.credentials.limit.note()
        is_over_http = about is not None and name in _ASKING and environment["GIT_ALLOW_PROTOCOL"].startswith("http")
        if is_over_http:
            environment = environment | TRACING
        start = partial(self._start, folder, environment, is_bound=about is not None)
        # Kept until the end: what GitPython returns ends the process when it is dropped.
        running = Runner(folder, start, self._end, silence).execute(["git", *options, *arguments], as_process=True)
        process: Process = running.proc
        with process:
            try:
                out, err = self._communicate(process, stdin, silence)
            except subprocess.TimeoutExpired:
                hint = "; DPPCTL_GIT_SILENCE_SECONDS is how long that is waited for" if about else ""
                raise self.failure(name, f"no answer within {silence:g} seconds{hint}") from None
            finally:
                self._end(process)
        lines, is_smart = split_trace(err.decode(errors="replace"))
        if process.returncode:
            raise self._failure_of(name, process.returncode, lines, about)
        if is_over_http and not is_smart:
            raise self.failure(name, NO_SERVER)
        return out

    def configured(self, folder: Path, name: str) -> str | None:
        """Return a value of the configuration that holds in a folder; None: it has none. Raises GitError.

        https://git-scm.com/docs/git-config
        """
        try:
            return self.run(folder, "config", "--get", name).decode(errors="replace").strip()
        except GitError as error:
            if error.code != 1:
                raise
            return None

    def stream(self, folder: Path, *arguments: str) -> Generator[bytes, None, None]:
        """Yield what `git ARGUMENTS`, which stays on this disk, writes to stdout, piece by piece.

        Git ends when this is closed. Raises GitError as `run` does.
        """
        name, start = arguments[0], partial(self._start, folder, self._environment)
        running = Runner(folder, start, self._end, GIT_SECONDS).execute(["git", *arguments], as_process=True)
        process: Process = running.proc
        with process:
            try:
                stdout: Any = process.stdout
                assert process.stderr  # noqa: S101 (for mypy)
                with suppress(EOFError):
                    while True:
                        yield stdout.read1()
                err = process.stderr.read()
                process.wait(GIT_END_SECONDS)
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                raise self.failure(name, str(error)) from None
            finally:
                self._end(process)
        if process.returncode:
            raise self._failure_of(name, process.returncode, err.decode(errors="replace").splitlines(), None)

    @contextmanager
    def open(self, folder: Path) -> Iterator[Repository]:
        """Open the repository in a folder for this context; its processes start when they are asked, and end with it.

        Raises GitError when there is none.
        """
        runner = Runner(folder, partial(self._start, folder, self._environment), self._end, GIT_SECONDS)
        try:
            repository = Repository(folder, runner)
        except (NoSuchPathError, InvalidGitRepositoryError, ValueError, configparser.Error):  # also of its config
            raise self.failure("open", f"there is no repository in {folder} that can be read", CopyError) from None
        with repository:
            yield repository

    @contextmanager
    def runner(self, folder: Path) -> Iterator[Runner]:
        """Have a command runner for the repository that a folder is in; its programs end with this context."""
        runner = Runner(folder, partial(self._start, folder, self._environment), self._end, GIT_SECONDS)
        try:
            yield runner
        finally:
            runner.clear_cache()

    def repository_at(self, url: str) -> str | None:
        """Return the forge's repository (OWNER/REPO) that a URL of any form names, or None."""
        github = self._settings.github
        bases = [f"{base}/" for base in (github.url, github.ssh_url) if url.startswith(f"{base}/")]
        path = url.removeprefix(bases[0]) if bases else ""
        if not bases and (host := urlsplit(github.url).hostname):
            found = _ANY_URL.fullmatch(url)
            path = found["path"] if found and (found["host"] or found["scp"]).lower() == host else ""
        name = path.strip("/").removesuffix(".git")
        return name if is_repository(name) else None

    def url_of(self, repository: str) -> str:
        """Return the URL that we reach a repository of the forge at."""
        return self._settings.github.repository_url(repository)

    def failure(self, command: str, message: str, kind: type[GitError] = TransientGitError) -> GitError:
        """Count a failed command, and return its error, which names no secret."""
        with self._lock:
            self.errors += 1
            if self._closed and kind is CopyError:
                kind = TransientGitError  # it was ended
        return kind(f"git {command}: {mask(message, self._secrets)}")

    def _failure_of(self, name: str, code: int, lines: Sequence[str], about: str | None) -> GitError:
        """Return the error of a git that ended with this exit code, and wrote these lines to stderr."""
        words = "\n".join(lines)
        if reason := explain(words, self._who(about) if about else None):
            if about:
                self.credentials.forget(about)
            failure = self.failure(name, *reason)
        else:
            said, kind = quote(words)
            failure = self.failure(name, said or f"exit code {code}", kind)
        failure.code = code
        return failure

    def close(self) -> None:
        """End what runs; later calls fail. For the end of the program."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            signal_group(process, signal.SIGTERM)
        for process in running:
            kill_group(process)
        self._ssh.close()

    def _start(
        self, folder: Path, environment: Mapping[str, str], command: Sequence[str], *, is_bound: bool = False
    ) -> Process:
        """Start git; `is_bound`: it is ended when this process is killed, for it may take long."""
        with self._lock:
            if self._closed:
                raise TransientGitError(f"git {command[1]}: stopped")
            try:
                process = subprocess.Popen(
                    bound_to_parent(command, signal.SIGTERM) if is_bound else command,
                    cwd=folder,
                    env=environment if self._searches else {**environment, "GIT_DIR": str(folder.absolute())},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,  # so that its helpers (ssh, git-remote-https) end with it
                )
            except OSError as error:
                kind = TransientGitError if folder.is_dir() else CopyError
                raise kind(f"git {command[1]}: cannot be started: {error}") from None
            self._running.add(process)
            self.active[threading.get_ident()] = time.monotonic()
            self.calls += 1
            return process

    def _communicate(self, process: Process, stdin: bytes, silence: float) -> tuple[bytes, bytes]:
        """Return what git writes to stdout and stderr. Raises TimeoutExpired when it writes nothing for so long."""
        given: bytes | None = stdin
        length, since = 0, time.monotonic()
        while True:
            try:
                return process.communicate(given, min(silence, GIT_LISTEN_SECONDS))
            except subprocess.TimeoutExpired as expired:
                given, now = None, time.monotonic()
                if (longer := len(expired.stdout or b"") + len(expired.stderr or b"")) > length:
                    length, since = longer, now
                    self.heard += 1
                    self.active[threading.get_ident()] = now
                elif now - since >= silence:
                    raise

    def _end(self, process: Process) -> None:
        kill_group(process)
        with self._lock:
            self._running.discard(process)

    def _repository(self, arguments: Sequence[str]) -> str | None:
        """Return the repository that a command goes out to."""
        found = self._url.search(" ".join(arguments))
        return found[1] if found else None

    def _who(self, repository: str) -> str:
        """Return in whose name git goes to a repository, for messages."""
        if self._settings.github.deploy_key(repository):
            return f"the deploy key of {repository} in DPPCTL_DEPLOY_KEYS"
        return self.credentials.name

    def _environment_for(self, command: str, about: str | None) -> dict[str, str]:
        """Return git's environment with what a repository asks for: a deploy key, or an app's token of this hour."""
        if about is None:
            return self._environment
        if ssh := self._ssh.command(about):
            return make_environment(self._settings, "") | {"GIT_ALLOW_PROTOCOL": "ssh", "GIT_SSH_COMMAND": ssh}
        if not self.credentials.is_app:
            return self._environment
        try:
            return make_environment(self._settings, self.credentials.token(about))
        except DppctlError as error:
            kind = PermanentGitError if isinstance(error, PermanentError) else TransientGitError
            raise self.failure(command, str(error), kind) from None
