"""Processes that end with the one that forked them, and that can be told from others by a mark (Linux)."""

import ctypes
import os
import signal

MARK = "DPPCTL_PROCESS_MARK"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def end_with(pid: int) -> None:
    """Have the kernel end this process when its parent ends, which is `pid` (prctl(2)); a fork has to ask anew."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != pid:  # it ended before the kernel knew
        os._exit(1)


def mark(value: str) -> None:
    """Change the mark that others read in /proc/PID/environ, and that programs started from here on inherit.

    The kernel shows there the memory that the process was started with, so the value is changed in its place; it is of
    the same length.
    """
    os.environ[MARK] = value
    with open("/proc/self/environ", "rb") as file:
        found = (b"\0" + file.read()).find(f"\0{MARK}=".encode())
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    start = int(fields[47])  # env_start (proc(5): field 50, the third is the first one here)
    if found >= 0 and start:
        ctypes.memmove(start + found + len(MARK) + 1, value.encode(), len(value))
