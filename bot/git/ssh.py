"""Deploy keys: how the setting holds them, and how ssh is run with the one of a repository.

https://docs.github.com/en/authentication/connecting-to-github-with-ssh/managing-deploy-keys
"""

import shlex
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from bot.settings import Settings

_CONNECT_SECONDS = 15
_SILENT_SECONDS = 15  # without an answer of the server's; after four of them ssh gives up


class SshCommand:
    """Says how git is to run ssh. Keys are in a folder that only this user can read, until `close`."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def command(self, repository: str) -> str | None:
        """Return the value of GIT_SSH_COMMAND for a repository; None for one without a deploy key.

        ssh's own configuration, agent and known hosts play no part: https://man.openbsd.org/ssh_config
        """
        key = self._settings.github.deploy_key(repository)
        if key is None:
            return None
        with self._lock:
            folder = self._open()
            file = folder / repository.lower().replace("/", "+")
            if not file.exists():
                file.touch(0o600)
                file.write_text(key if key.endswith("\n") else f"{key}\n")
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": file,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": folder / "known_hosts",
            "GlobalKnownHostsFile": "none",
            "UpdateHostKeys": "no",
            "ConnectTimeout": _CONNECT_SECONDS,
            "ServerAliveInterval": _SILENT_SECONDS,
        }
        return shlex.join(["ssh", "-F", "none", *(f"-o{name}={value}" for name, value in options.items())])

    def close(self) -> None:
        """Remove the keys."""
        with self._lock:
            if self._folder:
                self._folder.cleanup()
                self._folder = None

    def _open(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dppctl-ssh-")
            known = known_hosts(self._settings.github.ssh_url, self._settings.github.host_keys)
            (Path(self._folder.name) / "known_hosts").write_text(known)
        return Path(self._folder.name)


def known_hosts(url: str, keys: tuple[str, ...]) -> str:
    """Return the file of that name for the host of an ssh URL.

    https://man.openbsd.org/sshd#SSH_KNOWN_HOSTS_FILE_FORMAT
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]:{parts.port}" if parts.port and parts.port != 22 else parts.hostname
    return "".join(f"{host} {key}\n" for key in keys)
