"""Runs one command and says what all its processes cost, also those that nobody waits for and those it leaves behind.

As a library it starts itself as a program (`python -m benchmarks.measured …`): that process becomes the one to which
orphans fall (https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html), so nothing that the command
starts can escape the sum, and what is left at the end can be ended by its number. Linux only.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
WATCH_SECONDS = 0.05
END_SECONDS = 5.0


@dataclass(frozen=True)
class Measured:
    """Times in seconds, memory in MiB.

    `cpu`: of all processes that had ended when the command had; `left_cpu`: so far, of those that it left running
    (`left`). `worker_*`: of the worker's process alone, when it was watched. `tree_memory`: the most
    that all processes had together, when it was asked for; what several share counts once.
    """

    code: int
    wall: float
    cpu: float
    left_cpu: float
    left: list[str]
    worker_cpu: float | None = None
    worker_memory: float | None = None
    tree_memory: float | None = None

    @property
    def all_cpu(self) -> float:
        return self.cpu + self.left_cpu


def measure(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, watch: str = ""
) -> Measured:
    """Run the command in the folder; what it prints goes to `log`. Raises RuntimeError when it fails.

    watch: "worker" for its figures, "tree" for the memory of all processes, which takes a part of a core.
    """
    with tempfile.NamedTemporaryFile(suffix=".json") as report, log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-P", "-m", "benchmarks.measured", report.name, watch, *command],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )
        found = Measured(**json.load(report))
    if found.code:
        raise RuntimeError(f"{' '.join(command)} ended with {found.code}:\n{log.read_text()[-2000:]}")
    return found


def _main(report: str, watch: str, *command: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    watcher = _Watcher() if watch == "worker" else None
    tree = _TreeWatcher() if watch == "tree" else None
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    try:
        cpu, code = _wait(process.pid)
        wall = time.perf_counter() - started
        left = descendants(os.getpid())
        found = Measured(
            code=code,
            wall=wall,
            cpu=cpu,
            left_cpu=sum(cpu_of(pid, children=True) for pid in left),
            left=[_command_line(pid).replace("\0", " ").strip() for pid in left],
            worker_cpu=watcher.cpu if watcher else None,
            worker_memory=watcher.memory if watcher else None,
            tree_memory=tree.memory if tree else None,
        )
        Path(report).write_text(json.dumps(asdict(found)))
    finally:
        _end_all()


def _wait(pid: int) -> tuple[float, int]:
    """Return the CPU time of all that ended up to the end of that process, and its exit code."""
    cpu = 0.0
    while True:
        ended, status, usage = os.wait4(-1, 0)
        cpu += usage.ru_utime + usage.ru_stime
        if ended == pid:
            return cpu, os.waitstatus_to_exitcode(status)


def _end_all() -> None:
    """End what is left: by SIGTERM, then by SIGKILL."""
    asked = time.monotonic()
    for pid in descendants(os.getpid()):
        _kill(pid, signal.SIGTERM)
    while True:
        try:
            ended, _, _ = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended == 0:
            if time.monotonic() - asked > END_SECONDS:
                for pid in descendants(os.getpid()):
                    _kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class _Watcher(threading.Thread):
    """Looks at the worker's process (`python …/workers/worker-HASH run …`) as long as it lives.

    Peak memory is the kernel's own count (VmHWM), so looking now and then misses nothing but the last moment.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.cpu: float | None = None
        self.memory: float | None = None
        self.start()

    def run(self) -> None:
        while not (worker := self._find()):
            time.sleep(WATCH_SECONDS)
        while memory := peak_memory(worker):
            self.memory, self.cpu = memory, cpu_of(worker, children=False)
            time.sleep(WATCH_SECONDS)

    def _find(self) -> int | None:
        for pid in sorted(descendants(os.getpid())):
            if any("/workers/worker-" in argument for argument in _command_line(pid).split("\0")[1:2]):
                return pid
        return None


class _TreeWatcher(threading.Thread):
    """Looks at the memory of all processes now and then; pages that several share are divided among them (PSS)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.memory = 0.0
        self.start()

    def run(self) -> None:
        while True:
            self.memory = max(self.memory, sum(map(_shared_memory, descendants(os.getpid()))))
            time.sleep(WATCH_SECONDS)


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def memory_of(pid: int) -> float:
    """Return the memory of a process and all that it started, in MiB; what several share counts once."""
    return sum(map(_shared_memory, [pid, *descendants(pid)]))


def _stat(pid: int) -> list[str]:
    """Return the fields after the name, from the state on (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_of(pid: int, children: bool = True) -> float:
    """Return its seconds so far; `children`: with those of the children that it has waited for."""
    ticks = _stat(pid)[11 : 15 if children else 13]
    return sum(map(int, ticks)) / TICKS


def peak_memory(pid: int) -> float | None:
    """Return the most memory that a process had so far, in MiB, by the kernel's own record; None: it has ended.

    Not getrusage's: that counts what the process was before it was another program, a copy of its parent.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None  # a zombie has none


def _shared_memory(pid: int) -> float:
    """Return its proportional set size (https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html)."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    _main(*sys.argv[1:])
