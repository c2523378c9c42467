"""A limit for the processor time of a process and of all that it starts, as a cluster sets one for a pod.

By cgroups of version 1 (https://docs.kernel.org/scheduler/sched-bwc.html), so it needs root, and a machine that has
them; otherwise nothing is limited, and the caller says so.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CONTROLLER = Path("/sys/fs/cgroup/cpu")
_PERIOD = 100_000  # microseconds
_END_SECONDS = 10.0


def can_limit() -> bool:
    """Return whether this machine lets us limit processes."""
    return os.access(_CONTROLLER / "cgroup.procs", os.W_OK)


@contextmanager
def limited(processes: Sequence[int], cores: float) -> Iterator[None]:
    """Give each of these processes, with what it starts from now on, so many cores at most in this context."""
    groups = [_CONTROLLER / f"dppctl-bench-{process}" for process in processes]
    try:
        for group, process in zip(groups, processes, strict=True):
            group.mkdir()
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(round(cores * _PERIOD)))
            (group / "cgroup.procs").write_text(str(process))
        yield
    finally:
        for group in groups:
            _remove(group)


def _remove(group: Path) -> None:
    """Put the processes of a group back to where all are, and remove it."""
    end = time.monotonic() + _END_SECONDS
    while group.is_dir():
        for process in (group / "cgroup.procs").read_text().split():
            try:
                (_CONTROLLER / "cgroup.procs").write_text(process)
            except ProcessLookupError:
                continue
        try:
            group.rmdir()
        except OSError:  # it has started another one meanwhile
            if time.monotonic() > end:
                raise
