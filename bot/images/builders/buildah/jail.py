"""The root that buildah has: what it needs of this machine, to read, and the folders of its own build.

A Dockerfile, or a base image's ONBUILD, can have buildah follow a link in its own root (CVE-2024-1753) or lead it out
of the folder of a cache (CVE-2024-9675); 1.38.0 has both mended, and Debian 12 has an older one. So its root is none
of this machine's.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.images.builders.buildah import jail_root

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
        python = [sys.executable, "-IS", jail_root.__file__]  # what is installed beside it would take longer to find
        return ["unshare", *spaces, "--", *python, str(self.folder), *shown, "--", *map(str, command)]


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
