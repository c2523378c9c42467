"""The one function that runs git.

A daemon runs the program itself instead of a library's objects: each call has an end, a time limit and nothing
left open. Values in arguments are our own or were checked by `bot.model.names`; the environment lets no prompt, no
other protocol and none of the machine's git configuration in.
"""

import base64
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import DppctlError, TransientError
from bot.git.failures import explain
from bot.git.ssh import SshCommand
from bot.github.credentials import Credentials
from bot.limits import GIT_SECONDS
from bot.logs import mask
from bot.settings import Settings


class GitError(TransientError):
    """git said no; the message is its last words, without secrets."""


class Git:
    """Runs git commands, as the settings' user. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.credentials = Credentials(settings)
        self._ssh = SshCommand(settings)
        self._environment = _environment(settings, settings.github.token.get_secret_value())
        bases = "|".join(map(re.escape, (settings.github.url, settings.github.ssh_url)))
        self._url = re.compile(rf"(?:{bases})/([^/]+/[^/]+)\.git")
        self.user = f"{settings.github.user} <{settings.github.email}>"  # who commits
        self._secrets = settings.all_secrets
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.calls = self.errors = 0  # for /metrics

    def __call__(
        self,
        folder: Path,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = GIT_SECONDS,
        config: Mapping[str, str] | None = None,
    ) -> bytes:
        """What `git ARGUMENTS`, run in `folder`, writes to stdout; `config`: settings of git for this call.

        Raises GitError, also for taking too long.
        """
        options = [part for name, value in (config or {}).items() for part in ("-c", f"{name}={value}")]
        environment = self._environment_for(options, arguments)
        with self._lock:
            if self._closed:
                raise GitError(f"git {arguments[0]}: stopped")
            process = subprocess.Popen(
                ["git", *options, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that its helpers (ssh, git-remote-https) end with it
            )
            self._running.add(process)
            self.calls += 1
        with process:
            try:
                out, err = process.communicate(stdin, seconds)
            except subprocess.TimeoutExpired:
                raise GitError(f"git {arguments[0]}: no answer within {seconds:g} seconds") from None
            finally:
                _kill(process)
                with self._lock:
                    self._running.discard(process)
        if process.returncode:
            with self._lock:
                self.errors += 1
            lines = err.decode(errors="replace").splitlines()
            if (about := self._repository(options, arguments)) and (why := explain("\n".join(lines), self._who(about))):
                self.credentials.forget(about)
                raise GitError(f"git {arguments[0]}: {self._masked(why)}")
            words = [line.strip() for line in lines if line.strip() and not line.startswith("hint:")]
            raise GitError(f"git {arguments[0]}: {self._masked(' / '.join(words[-4:])) or process.returncode}")
        return out

    def close(self) -> None:
        """Ends what runs; later calls fail. For the end of the program."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill(process)
        self._ssh.close()

    def _masked(self, text: str) -> str:
        return mask(text, self._secrets)

    def _repository(self, options: list[str], arguments: tuple[str, ...]) -> str | None:
        """The one that a command goes out to."""
        found = self._url.search(" ".join([*options, *arguments]))
        return found[1] if found else None

    def _who(self, repository: str) -> str:
        """In whose name git goes there, for messages."""
        if self._settings.github.deploy_key(repository):
            return f"the deploy key of {repository} in DPPCTL_DEPLOY_KEYS"
        return self.credentials.name

    def _environment_for(self, options: list[str], arguments: tuple[str, ...]) -> dict[str, str]:
        """With what the repository that a command is about asks for: a deploy key, or an app's token of this hour."""
        about = self._repository(options, arguments)
        if about is None:
            return self._environment
        if ssh := self._ssh.command(about):
            return _environment(self._settings, "") | {"GIT_ALLOW_PROTOCOL": "ssh", "GIT_SSH_COMMAND": ssh}
        if not self.credentials.is_app:
            return self._environment
        try:
            return _environment(self._settings, self.credentials.token(about))
        except DppctlError as error:
            raise GitError(f"git {arguments[0]}: {error}") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _environment(settings: Settings, token: str) -> dict[str, str]:
    """git's environment: https://git-scm.com/docs/git#_environment_variables"""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DPPCTL_"))}
    config = {
        "core.hooksPath": os.devnull,
        "gc.autoDetach": "false",  # no git that outlives its call
        "maintenance.autoDetach": "false",
        "http.followRedirects": "false",  # a redirect could carry the token elsewhere
    }
    if token:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        config[f"http.{settings.github.url}/.extraHeader"] = f"Authorization: Basic {basic}"
    for number, (key, value) in enumerate(config.items()):
        ours |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return ours | {
        "GIT_CONFIG_COUNT": str(len(config)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": urlsplit(settings.github.url).scheme,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": settings.github.user,
        "GIT_AUTHOR_EMAIL": settings.github.email,
        "GIT_COMMITTER_NAME": settings.github.user,
        "GIT_COMMITTER_EMAIL": settings.github.email,
        "LC_ALL": "C.UTF-8",
    }
