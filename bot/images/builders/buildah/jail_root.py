"""A script that makes buildah's root and becomes buildah: ROOT KIND:PATH… -- COMMAND.

It runs in a mount namespace and a process namespace of its own, and imports nothing but Python's own library. One
process that calls the kernel: `mount` and `mkdir` for each path would cost more than buildah itself.
"""

import ctypes
import os
import signal
import sys

# https://github.com/torvalds/linux/blob/master/include/uapi/linux/mount.h
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _REC, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2
# As in containers: https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#masked-paths
_MASKED = ("kcore", "keys", "latency_stats", "sched_debug", "timer_list")
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(root: str, *arguments: str) -> None:
    """Show each path where it is, make that the root, and run the command.

    KIND: `system`, with what is mounted below it, and `ro` are to read; `rw`; `device`.
    """
    end = arguments.index("--")
    shown = [argument.split(":", 1) for argument in arguments[:end]]
    system = tuple(f"{path}/" for kind, path in shown if kind == "system" and not os.path.islink(path))
    _mount("none", "/", flags=_REC | _PRIVATE)
    _mount("dppctl", root, "tmpfs", _NOSUID | _NODEV, "mode=755")
    os.chdir(root)
    _fill()
    for kind, path in shown:
        _show(kind, path)
    _call("pivot_root", b".", b"old")
    _call("umount2", b"old", _DETACH)
    os.rmdir("old")
    for point in _mounted():
        if point.startswith(system):
            _limit(point, _RDONLY)
    os.chdir("/")
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    command = [*map(os.fsencode, arguments[end + 1 :]), None]
    # Python's would import something, and its library is not there any more.
    _call("execvp", command[0], (ctypes.c_char_p * len(command))(*command))


def _fill() -> None:
    """Make the folders of every root, and its `/proc`."""
    for name in ("dev/pts", "dev/shm", "dev/mqueue", "proc", "run", "tmp", "var/tmp", "old"):
        os.makedirs(name)
    for name in ("tmp", "var/tmp", "dev/shm"):
        os.chmod(name, 0o1777)  # noqa: S103 (as on every machine)
    os.symlink("/proc/self/fd", "dev/fd")
    _mount("proc", "proc", "proc")
    for name in _MASKED:
        if os.path.exists(f"proc/{name}"):
            _mount("/dev/null", f"proc/{name}", flags=_BIND)
    for name in _READ_ONLY:
        if os.path.exists(f"proc/{name}"):
            _mount(f"proc/{name}", f"proc/{name}", flags=_BIND)
            _limit(f"proc/{name}", _RDONLY)


def _show(kind: str, path: str) -> None:
    at = f".{path}"
    os.makedirs(os.path.dirname(at), exist_ok=True)
    if os.path.isdir(path) and os.path.islink(path):
        os.symlink(os.readlink(path), at)
        return
    if os.path.isdir(path):
        os.makedirs(at, exist_ok=True)
    elif not os.path.exists(at):
        open(at, "x").close()
    _mount(path, at, flags=_BIND | (_REC if kind == "system" else 0))
    if kind != "device":
        _limit(at, _NODEV if kind == "rw" else _RDONLY)


def _limit(point: str, flag: int) -> None:
    """Take something away from what is mounted there. What it lacks already is to be said again.

    A user namespace may not give it back: https://man7.org/linux/man-pages/man7/mount_namespaces.7.html
    """
    lacks = os.statvfs(point).f_flag & (_RDONLY | _NOSUID | _NODEV | _NOEXEC)
    _mount("none", point, flags=_REMOUNT | _BIND | flag | lacks)


def _mounted() -> list[str]:
    """Return what is mounted: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html."""
    with open("/proc/self/mountinfo", "rb") as lines:
        points = [line.split(b" ")[4] for line in lines]
    for code, character in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        points = [point.replace(code, character) for point in points]
    return [os.fsdecode(point) for point in points]


def _mount(source: str, target: str, kind: str = "none", flags: int = 0, options: str = "") -> None:
    _call("mount", os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library. Ends with a line that says why it failed."""
    if getattr(_LIBC, name)(*arguments):
        where = " ".join(os.fsdecode(part) for part in arguments if isinstance(part, bytes) and part)
        sys.exit(f"cannot make buildah's root: {name} {where}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(*sys.argv[1:])
