"""What is kept on this machine of a cluster at Kamatera: its ssh keys, and which command or task makes it.

Written before anything is asked for, so that an init that was killed leaves nothing that the next one cannot find.
"""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from cli.errors import InputError
from cli.home_folder import home_folder

HOST_ALIAS = "dppctl-kamatera"  # the machine's name in the file of known hosts, whatever its address


@dataclass(frozen=True)
class ClusterRecord:
    """A cluster that this machine asked for; `begun`: seconds since 1970."""

    mode: str
    datacenter: str
    begun: float
    command: str = ""  # of the queue, or the task of the Kubernetes service; "": it may not have been asked for
    server: str = ""  # the name that Kamatera gave it; "": the one that was asked for
    was_ready: bool = False


@dataclass(frozen=True)
class SshKeys:
    """Two key pairs of ssh, made for one cluster: this person's and the machine's own."""

    private: str
    public: str
    host_private: str
    host_public: str


class RecordFolder:
    """The folder of one cluster, by its name: for this user only."""

    def __init__(self, name: str) -> None:
        self.folder = home_folder() / "kamatera" / name
        self.key_file = self.folder / "ssh_key"
        self.known_hosts = self.folder / "known_hosts"
        self._file, self._host_key = self.folder / "cluster.json", self.folder / "host_key"

    def read(self) -> ClusterRecord | None:
        """Return what is kept; None: nothing. Raises InputError for a file that cannot be used."""
        try:
            return ClusterRecord(**json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{self._file} cannot be read ({error}); mend it, or remove the folder") from None

    def begin(self, mode: str, datacenter: str) -> tuple[ClusterRecord, SshKeys]:
        """Write down that a cluster is to be asked for, and return that and its keys. Raises InputError.

        Keys are made anew, but for an init that was killed before it wrote down what it had asked for.
        """
        before = self.read()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            if before is None or before.command or not self._host_key.exists():
                (private, _), (host_private, host_public) = _new_key(), _new_key()
                self._write(self.key_file, private)
                self._write(self.known_hosts, f"{HOST_ALIAS} {host_public}\n")
                self._write(self._host_key, host_private)
            record = ClusterRecord(mode, datacenter, time.time())
            self._write(self._file, json.dumps(asdict(record)))
            private, host_private = self.key_file.read_text(), self._host_key.read_text()
        except OSError as error:
            raise self._wrong(error) from None
        return record, SshKeys(private, _public_half(private), host_private, _public_half(host_private))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have no other init of this machine ask for the same cluster during the block. Raises InputError."""
        file = self.folder.with_name(f"{self.folder.name}.lock")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise InputError(f"another dppctl init is asking Kamatera for {self.folder.name} just now") from None

    def keys(self) -> tuple[str, str]:
        """Return this person's key, and its public half. Raises InputError for a key that cannot be used."""
        try:
            private = self.key_file.read_text(encoding="utf-8")
            return private, _public_half(private)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.key_file} cannot be used: {error}") from None

    def change(self, record: ClusterRecord, **changes: object) -> ClusterRecord:
        """Write down what has changed, and return it. Raises InputError."""
        changed = replace(record, **changes)  # type: ignore[arg-type]
        if changed != record:
            try:
                self._write(self._file, json.dumps(asdict(changed)))
            except OSError as error:
                raise self._wrong(error) from None
        return changed

    def finish(self, record: ClusterRecord) -> None:
        """Write down that the cluster can be used; the machine alone has its own key from now on. Raises InputError."""
        self.change(record, was_ready=True)
        self._host_key.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the keys and all else. Raises InputError."""
        try:
            shutil.rmtree(self.folder, ignore_errors=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._wrong(error) from None

    def others(self) -> list[str]:
        """Return the names of this person's other clusters at Kamatera."""
        above = self.folder.parent
        found = above.iterdir() if above.is_dir() else ()
        return sorted(each.name for each in found if each != self.folder and (each / self._file.name).exists())

    def _write(self, file: Path, text: str) -> None:
        """Write a file of mode 0600 whole, or not at all."""
        part = file.with_name(f"{file.name}.part")
        part.unlink(missing_ok=True)
        part.touch(0o600)
        part.write_text(text, encoding="utf-8")
        part.replace(file)

    def _wrong(self, error: OSError) -> InputError:
        return InputError(f"{error.filename or self.folder} cannot be written: {error.strerror}")


def _new_key() -> tuple[str, str]:
    """Return a new key in OpenSSH's format, and its public half."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, _public_half(private)


def _public_half(private: str) -> str:
    """Return such as `ssh-ed25519 AAAA…`. Raises ValueError."""
    key = load_ssh_private_key(private.encode(), None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
