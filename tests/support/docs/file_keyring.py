"""A keyring as a desktop has one, for processes that a test starts: PYTHON_KEYRING_BACKEND names it."""

import json
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """In a file of the home."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._kept().get(f"{service} {username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps({**self._kept(), f"{service} {username}": password}))

    @property
    def _file(self) -> Path:
        return Path.home() / "keyring.json"

    def _kept(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return found
