"""Stores of secrets: the system's keyring, a `.env` file that only its owner can read, or a Kubernetes Secret.

The servers read them: `.env` and the keyring by `bot.settings`, the Secret as the chart's environment.
"""

import base64
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values, set_key

from bot.kubernetes import KubernetesClient, KubernetesError
from cli.errors import InputError


class SecretStore(ABC):
    """Keeps values by the names of variables, `DPPCTL_…`. `str()` of it is how messages call it."""

    @abstractmethod
    def read(self, variable: str) -> str | None:
        """Return the value that is kept, or None. Raises InputError."""

    @abstractmethod
    def write(self, values: Mapping[str, str]) -> None:
        """Keep these values beside the others. Raises InputError."""

    def settings(self) -> dict[str, str]:
        """Return the settings by which the servers find this store, by variable."""
        return {}


class EnvFile(SecretStore):
    """`NAME='value'` lines; mode 0600. Other lines stay as they are."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __str__(self) -> str:
        return str(self._file)

    def read(self, variable: str) -> str | None:
        """Read the file."""
        return dotenv_values(self._file, interpolate=False).get(variable)

    def write(self, values: Mapping[str, str]) -> None:
        """Write the whole file, or nothing."""
        part = self._file.with_name(f"{self._file.name}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            if self._file.exists():
                part.write_bytes(self._file.read_bytes())
            for name, value in values.items():
                set_key(part, name, value)
            part.chmod(0o600)
            os.replace(part, self._file)
        except OSError as error:
            raise InputError(f"{self._file} cannot be written: {error.strerror}") from None


def has_keyring() -> bool:
    """Return whether this system has a keyring that programs can use."""
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring

    return not isinstance(keyring.get_keyring(), NoKeyring)


class Keyring(SecretStore):
    """The system's keyring, by https://keyring.readthedocs.io: Secret Service, KWallet, macOS's, Windows'."""

    def __init__(self, service: str) -> None:
        """Open the keyring; `service`: its name for these values. Raises InputError on a system without a keyring."""
        import keyring

        self._service = service
        self._keyring = keyring
        if not has_keyring():
            raise InputError("this system has no keyring; keep the secrets in a file instead: --env-file")

    def __str__(self) -> str:
        return "the system's keyring"

    def read(self, variable: str) -> str | None:
        """Read from the keyring, which may ask its owner."""
        from keyring.errors import KeyringError

        try:
            return self._keyring.get_password(self._service, variable)
        except KeyringError as error:
            raise self._wrong(error) from None

    def write(self, values: Mapping[str, str]) -> None:
        """Write each value, as keyrings do."""
        from keyring.errors import KeyringError

        try:
            for name, value in values.items():
                self._keyring.set_password(self._service, name, value)
        except KeyringError as error:
            raise self._wrong(error) from None

    def settings(self) -> dict[str, str]:
        """Return the name under which the keyring has the values."""
        return {"DPPCTL_KEYRING": self._service}

    def _wrong(self, error: Exception) -> InputError:
        return InputError(f"the system's keyring does not answer ({error}); unlock it, or use --env-file")


class KubernetesSecret(SecretStore):
    """A Secret of a namespace, as `charts/dppctl` takes it: DPPCTL_GITHUB_TOKEN has the key `github-token`."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str = "dppctl") -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"

    def __str__(self) -> str:
        return f"the Secret {self._name} in the namespace {self._namespace}"

    def read(self, variable: str) -> str | None:
        """Read the Secret."""
        found = (self._get() or {}).get(secret_key(variable))
        return base64.b64decode(found).decode() if found is not None else None

    def write(self, values: Mapping[str, str]) -> None:
        """Write into the Secret, or create it."""
        body = {
            "metadata": {"name": self._name},
            "stringData": {secret_key(name): value for name, value in values.items()},
        }
        is_new = self._get() is None
        try:
            if is_new:
                self._client.create(self._secrets, body)
            else:
                self._client.patch(f"{self._secrets}/{self._name}", body)
        except KubernetesError as error:
            raise InputError(f"{self} cannot be written: {error.reason}") from None

    def _get(self) -> dict[str, str] | None:
        """Return the Secret's data, base64 by key; None: there is no such Secret."""
        try:
            secret = self._client.get(f"{self._secrets}/{self._name}")
        except KubernetesError as error:
            raise InputError(f"{self} cannot be read: {error.reason}") from None
        return None if secret is None else secret.get("data") or {}


def secret_key(variable: str) -> str:
    """Return the key of a Secret that has a variable's value: `github-token` for DPPCTL_GITHUB_TOKEN."""
    return variable.removeprefix("DPPCTL_").lower().replace("_", "-")
