"""The root that buildah has: what it needs of this machine, to read, and the folders of its own build.

A Dockerfile, or a base image's ONBUILD, can have buildah follow a link in its own root (CVE-2024-1753) or lead it out
of the folder of a cache (CVE-2024-9675); 1.38.0 has both mended, and Debian 12 has an older one. So its root is none
of this machine's.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Programs and libraries; names of hosts, users and groups; whom TLS and registries trust; runc wants to see cgroups.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/fs/cgroup", "/etc/alternatives", "/etc/ld.so.cache"),
    *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/localtime"),
    *("/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/docker/certs.d"),
    *("/etc/containers/certs.d", "/etc/containers/policy.json", "/etc/containers/registries.d"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# What builds that have a network of their own share with podman: who has which address, and whose turn it is.
_NETWORK = ("/run/containers/networks/ipam.db", "/etc/containers/networks/netavark.lock")
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # they name files, and are handed on

# Run in a mount namespace and a process namespace of its own: JAIL ROOT KIND:PATH… -- COMMAND. A path is shown where
# it is. KIND: `system` and what is mounted below it, to read; `ro`, `rw`; `device`. `/proc` is as in containers:
# https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#masked-paths
_SCRIPT = r"""
root=$1
shift
mount --make-rprivate /
mount -t tmpfs -o mode=755,nosuid,nodev dppctl "$root"
cd "$root"
mkdir -p dev/pts dev/shm dev/mqueue proc run tmp var/tmp old
chmod 1777 tmp var/tmp dev/shm
ln -s /proc/self/fd dev/fd
mount -t proc proc proc
for name in kcore keys latency_stats sched_debug timer_list; do
  [ ! -e "proc/$name" ] || mount --bind /dev/null "proc/$name"
done
for name in bus fs irq sys sysrq-trigger; do [ ! -e "proc/$name" ] || mount -o bind,ro "proc/$name" "proc/$name"; done
# Flags that a user namespace may not take away are to be given again.
limit() { mount -o "remount,bind,$1" "$2" || mount -o "remount,bind,$1,nosuid,nodev" "$2"; }
inner=
while [ "$1" != -- ]; do
  path=${1#*:}
  mkdir -p ".${path%/*}"
  if [ -L "$path" ] && [ -d "$path" ]; then
    ln -s "$(readlink "$path")" ".$path"
  else
    if [ -d "$path" ]; then mkdir -p ".$path"; elif [ ! -e ".$path" ]; then : > ".$path"; fi
    case $1 in
      system:*) mount -o rbind,ro "$path" ".$path" 2>/dev/null || limit ro ".$path"; inner="$inner $path/";;
      ro:*) mount -o bind,ro "$path" ".$path" 2>/dev/null || limit ro ".$path";;
      rw:*) mount --bind "$path" ".$path"; limit nodev ".$path";;
      device:*) mount --bind "$path" ".$path";;
    esac
  fi
  shift
done
shift
pivot_root . old
umount -l old
rmdir old
while read -r _ _ _ _ point _; do
  for path in $inner; do
    case $point in "$path"*) limit ro "$point";; esac
  done
done < /proc/self/mountinfo
cd /
exec "$@"
"""


@dataclass(frozen=True)
class Jail:
    """Folders and files that a build may read, and those that it may write too, besides what every build needs."""

    folder: Path  # an empty one, where the root is made
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()

    def command(self, command: Iterable[str | Path]) -> list[str]:
        """Return a command that has this root, in namespaces of its own, which end with it.

        Someone who is not root becomes root of a user namespace, with the user ids of /etc/subuid. The command is the
        first process of its namespace: when it is killed, all that it started is gone and nothing stays mounted.
        """
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
        spaces = [*user, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        shown = [f"system:{path}" for path in _existing(_system())]
        shown += [f"device:/dev/{name}" for name in _DEVICES]
        shown += [f"rw:{path}" for path in (*_network(), *self.writable)]
        shown += [f"ro:{path}" for path in self.readable]
        start = ["unshare", *spaces, "--", "sh", "-euc", _SCRIPT, "jail", str(self.folder), *shown, "--"]
        return [*start, *map(str, command)]


def _system() -> Iterator[str]:
    yield from _SYSTEM
    yield from (os.environ[name] for name in _VARIABLES if name in os.environ)
    for name in ("buildah", "runc"):  # they may be elsewhere
        if program := shutil.which(name):
            yield str(Path(program).parent)


def _network() -> Iterator[str]:
    if os.geteuid() == 0:
        for name in _NETWORK:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
            yield name


def _existing(paths: Iterable[str]) -> list[str]:
    """Return those that exist and lie in no other one."""
    found: list[str] = []
    for path in paths:
        if os.path.exists(path) and not any(path == other or path.startswith(f"{other}/") for other in found):
            found.append(path)
    return found
