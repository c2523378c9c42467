"""A workload's folder as a tar.gz, the same bytes for the same files: sorted, without times, owners and names of them.

Symbolic links are followed, as a run on this machine follows them, and their files are packed in their place: a worker
takes files and folders only.
"""

import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.errors import InputError
from cli.remote.ignore import IgnoreRules, rules_of
from cli.remote.limits import MAX_ENTRIES, MAX_LARGEST_NAMED, MAX_UNPACKED_BYTES

_COMPRESSION = 6  # gzip's own default, named so that it stays
_USES_DATABASE = (b"to_sql", b"DPP_DB_ENGINE")  # dpp's processor, dataflows' step, and the variable of both


@dataclass(frozen=True)
class PackedWorkload:
    """A tar.gz in a temporary file that goes with the process, and whether its pipelines name a database."""

    file: IO[bytes]
    sha256: str
    size: int
    uses_database: bool


@dataclass(frozen=True)
class _Entry:
    name: str
    path: Path
    status: os.stat_result


def pack(folder: Path, most_bytes: int, note: Callable[[str], None]) -> PackedWorkload:
    """Pack what is in a folder. `note` gets a line about what is left out though nobody said so.

    Raises InputError for what cannot be read, and for more than `most_bytes`, with the largest files.
    """
    entries = list(_entries(folder, folder, rules_of(folder), (folder.resolve(),), note))
    files = [entry for entry in entries if stat.S_ISREG(entry.status.st_mode)]
    if len(entries) > MAX_ENTRIES:
        raise InputError(
            f"{folder} has {len(entries):,} files and folders, and a worker takes {MAX_ENTRIES:,}; {_HINT}"
        )
    if sum(entry.status.st_size for entry in files) > MAX_UNPACKED_BYTES:
        raise _too_large(folder, files, MAX_UNPACKED_BYTES, "")
    packed = tempfile.TemporaryFile()  # noqa: SIM115 (the caller reads it)
    target = _Hashed(packed, most_bytes)
    try:
        compressed = gzip.GzipFile("", "wb", _COMPRESSION, target, mtime=0)
        with compressed, tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            naming_database = [entry for entry in entries if _add(archive, entry)]
    except _LimitError:
        raise _too_large(folder, files, most_bytes, "packed, ") from None
    return PackedWorkload(packed, target.digest.hexdigest(), target.size, bool(naming_database))


def _entries(
    top: Path, folder: Path, rules: IgnoreRules, real: tuple[Path, ...], note: Callable[[str], None]
) -> Iterator[_Entry]:
    """Yield what is in a folder, sorted; `real`: the folders that it is in, without links, to see a link back."""
    rules = rules.below(folder)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from None
    for name in names:
        path = folder / name
        shown = path.relative_to(top).as_posix()
        try:
            status = path.stat()
        except OSError as error:
            if path.is_symlink():
                if not rules.leaves_out(path, is_folder=False):
                    note(f"{shown} is left out: it links to what is not there")
                continue
            raise _unreadable(path, error) from None
        is_folder = stat.S_ISDIR(status.st_mode)
        if rules.leaves_out(path, is_folder=is_folder):
            continue
        if is_folder:
            target = path.resolve()
            if target in real:
                note(f"{shown} is left out: it links back to a folder that it is in")
                continue
            yield _Entry(shown, path, status)
            yield from _entries(top, path, rules, (*real, target), note)
        elif stat.S_ISREG(status.st_mode):
            yield _Entry(shown, path, status)
        else:
            note(f"{shown} is left out: it is no file, but a socket, pipe or device")


def _add(archive: tarfile.TarFile, entry: _Entry) -> bool:
    """Add a file or folder; return whether it is one of a pipeline that names a database."""
    member = tarfile.TarInfo(entry.name)
    if stat.S_ISDIR(entry.status.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
        return False
    member.mode = 0o755 if entry.status.st_mode & stat.S_IXUSR else 0o644
    member.size = entry.status.st_size
    try:
        with entry.path.open("rb") as file:
            archive.addfile(member, file)
            if not entry.name.endswith(("pipeline-spec.yaml", "source-spec.yaml", ".py")):
                return False
            file.seek(0)
            content = file.read()
    except _LimitError:
        raise
    except OSError as error:
        raise _unreadable(entry.path, error) from None
    return any(word in content for word in _USES_DATABASE)


class _LimitError(OSError):
    """More was written than is allowed."""


class _Hashed:
    """Writes on, and counts and hashes what goes through."""

    def __init__(self, target: IO[bytes], most_bytes: int) -> None:
        self.digest, self.size = hashlib.sha256(), 0
        self._target, self._most_bytes = target, most_bytes

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self._most_bytes:
            raise _LimitError
        self.digest.update(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()


_HINT = "name in .dppctlignore what the pipelines do not need"


def _too_large(folder: Path, files: list[_Entry], most_bytes: int, how: str) -> InputError:
    largest = sorted(files, key=lambda entry: (-entry.status.st_size, entry.name))[:MAX_LARGEST_NAMED]
    named = ", ".join(f"{entry.name} ({entry.status.st_size / 2**20:,.1f} MiB)" for entry in largest)
    what = f"{folder} has, {how}more than the {most_bytes / 2**20:,.0f} MiB that a cluster takes"
    return InputError(f"{what}; the largest files: {named}; {_HINT}")


def _unreadable(path: Path, error: OSError) -> InputError:
    if error.strerror is None:  # tarfile, of a file that ended sooner
        return InputError(f"{path} changed while it was packed; run it again")
    return InputError(f"{path} cannot be read: {error.strerror}; name it in .dppctlignore, or let yourself read it")
