"""The environments that pipelines run in: dpp, at the versions of our lock, apart from dppctl's own packages.

dpp's pins clash with everybody's, so it is installed from a lock that was resolved with overrides (`make lock`).
One environment for each lock and Python, made by uv and kept in the cache; a workload with a `requirements.txt`
gets an environment of its own: the same lock and then its packages, and the contents of all files that it refers to
are in the environment's name. uv links files from its own cache, and what is compiled is linked from the environment
without requirements if there is one, so another environment costs two or three seconds and little disk.

An environment is made under a name of its own and then published by renaming a symbolic link to it: whoever looks
finds all of it or nothing, and removing the cache at any time only means that it is made again.
"""

import fcntl
import hashlib
import os
import platform
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO

from bot import process
from bot.errors import TransientError
from bot.model.requirements import REQUIREMENTS
from bot.program_environment import PACKAGES, listed_environment
from cluster.errors import ClusterError
from cluster.limits import DPP_INSTALL_SILENCE_SECONDS, DPP_LOCK_POLL_SECONDS
from cluster.local.workers import uv_failures
from cluster.local.workers.compiled_files import compile_command, take_compiled_files
from cluster.local.workers.kept_environments import lock_file, mark_used, remove_left_behind, write_workload
from cluster.local.workers.requirement_contents import Contents, requirement_contents, without_build_folders

LOCK = "requirements.txt"
OVERRIDES = "overrides.txt"
SHOWN = ("Resolved", "Downloading", "   Building", "Prepared", "Installed", "Bytecode")  # lines of uv's
_COMPILE = "--compile-bytecode"


class InstallAwayError(ClusterError, TransientError):
    """What is to be installed cannot be had for now: the network, the index, or the room for it."""


@dataclass(frozen=True)
class DppEnvironment:
    """A virtual environment with dpp."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Return the folder of `dpp` and `python`, to be first on PATH."""
        return self.folder / "bin"

    def command(self, zipapp: Path) -> list[str]:
        """Return the command that starts a worker in it (`WorkerHost` in process.py)."""
        return [str(self.bin / "python"), str(zipapp)]

    def environment(self) -> dict[str, str]:
        """Return the variables of a worker: this process's without dppctl's own, this environment first on PATH."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
        return {**inherited, **self.variables({})}

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what is given, this environment first on PATH."""
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        return {**given, "PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def path(self, file: Path) -> Path:
        """Return the file itself: it is on this machine."""
        return file

    def complaint(self, _code: int, stderr: str) -> str:
        """Return what the worker says itself."""
        return stderr

    def clear(self) -> None:
        """Do nothing: the worker ends all that it started."""


def ensure_dpp_environment(
    cache: Path, workload: Path | None, say: Callable[[str], None], stop: threading.Event | None = None
) -> DppEnvironment:
    """Return the environment for a workload, with its requirements.txt if it has one, made if it is missing.

    None: for workloads without. say gets a line for each thing that takes time; stop ends that. Raises ClusterError
    with uv's reason when it cannot be made (InstallAwayError when it may be later), PermanentError with file and line
    for requirements that lead nowhere or out of the workload, and StoppedError; then nothing half-made stays.
    """
    stop = stop or threading.Event()
    contents = requirement_contents(workload) if workload else None
    with as_file(files("cluster.local") / "dpp") as lock:
        published = cache / "runtimes" / _key(lock, contents)
        mark_used(published)
        if not _is_whole(published):
            try:
                published.parent.mkdir(parents=True, exist_ok=True)
                with _one_at_a_time(lock_file(published), say, stop):
                    if not _is_whole(published):
                        _make(published, lock, workload if contents else None, contents, say, stop)
                remove_left_behind(cache)
            except OSError as error:
                raise ClusterError(f"the runtime cannot be kept in {cache}: {error.strerror or error}") from error
    return DppEnvironment(published.resolve())


def find_runtime(cache: Path, workload: Path | None = None) -> DppEnvironment | None:
    """Return the environment for a workload (None: for those without requirements) if it is in the cache.

    Raises PermanentError as `ensure_dpp_environment` does.
    """
    contents = requirement_contents(workload) if workload else None
    with as_file(files("cluster.local") / "dpp") as lock:
        published = cache / "runtimes" / _key(lock, contents)
    return DppEnvironment(published.resolve()) if _is_whole(published) else None


def _key(lock: Path, contents: Contents | None) -> str:
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix} {platform.machine()}".encode())
    for part in ((lock / LOCK).read_bytes(), (lock / OVERRIDES).read_bytes(), contents.key if contents else b""):
        digest.update(b"\0" + part)
    return digest.hexdigest()[:20]


def _is_whole(published: Path) -> bool:
    return (published / "bin" / "dpp").exists() and (published / "bin" / "python").exists()


def _make(
    published: Path,
    lock: Path,
    workload: Path | None,
    contents: Contents | None,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    for leftover in published.parent.glob(f"{published.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a run that was killed
    folder = published.with_name(f"{published.name}-{secrets.token_hex(4)}")
    started = time.monotonic()
    say(f"Setting up dpp's environment{f' with {REQUIREMENTS}' if workload else ''} (once)")
    try:
        _uv(["venv", "--quiet", "--python", sys.executable, str(folder)], say, stop)
        into = ["pip", "install", "--python", str(folder / "bin" / "python")]
        plain = published.with_name(_key(lock, None))
        compiled = plain != published and _is_whole(plain)
        from_lock = ["--no-deps", "--require-hashes", "-r", str(lock / LOCK)]
        _uv([*into, *([] if compiled else [_COMPILE]), *from_lock], say, stop)
        if compiled and (left := take_compiled_files(plain.resolve(), folder)):
            _run(compile_command(folder, left), stop)
        if workload and contents:
            # Projects are looked at again: uv's own cache goes by the time of their pyproject.toml alone.
            again = ["--refresh"] if contents.builds else []
            with without_build_folders(workload):
                _uv(
                    [*into, _COMPILE, *again, "--override", str(lock / OVERRIDES), "-r", REQUIREMENTS],
                    say,
                    stop,
                    workload,
                )
            if contents.builds:
                write_workload(folder, workload, in_place=contents.in_place)
        fresh_link = folder.with_suffix(".link")
        fresh_link.symlink_to(folder.name)
        fresh_link.replace(published)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    say(f"Set up in {time.monotonic() - started:.1f} s, kept in {folder}")


def _uv(arguments: list[str], say: Callable[[str], None], stop: threading.Event, folder: Path | None = None) -> None:
    import uv

    def show(line: str) -> None:
        if line.startswith(SHOWN):
            say("  " + line.strip())

    ended = _run([uv.find_uv_bin(), "--color", "never", *arguments], stop, folder, show)
    if ended.code:
        kind = InstallAwayError if uv_failures.may_pass(ended.lines) else ClusterError
        raise kind(f"dpp's environment cannot be made: {uv_failures.reason(ended.lines, ended.code)}")


def _run(
    command: list[str],
    stop: threading.Event,
    folder: Path | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
) -> process.Ended:
    # The user's settings of uv (index, certificates, proxies, time limits) hold; it runs packages' own code.
    environment = listed_environment(*PACKAGES) | uv_failures.ENVIRONMENT
    silence = DPP_INSTALL_SILENCE_SECONDS
    try:
        return process.run(command, environment=environment, folder=folder, silence=silence, stop=stop, on_line=on_line)
    except process.TimeLimitError:
        raise InstallAwayError(
            f"dpp's environment cannot be made: uv wrote nothing for {silence:g} seconds; "
            "look at this machine's network, then try again"
        ) from None


@contextmanager
def _one_at_a_time(lock_file: Path, say: Callable[[str], None], stop: threading.Event) -> Iterator[None]:
    """Hold a lock, so that two runs do not download the same; were it lost, both would still do no harm."""
    with lock_file.open("w") as file:
        waiting = False
        while not _locked(file):
            if not waiting:
                say("Waiting for another run that sets up dpp's environment")
            waiting = True
            if stop.wait(DPP_LOCK_POLL_SECONDS):
                raise process.StoppedError("setting up dpp's environment: stopped")
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
