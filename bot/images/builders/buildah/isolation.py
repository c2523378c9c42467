"""How buildah keeps a RUN apart from this machine, found out by trying.

A RUN sees neither our processes nor what they were started with, also with `chroot`, which makes no namespaces itself:
each buildah has those of its jail.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.process import Ended

_KINDS = ("oci", "chroot")


@dataclass(frozen=True)
class Isolation:
    """https://github.com/containers/buildah/blob/main/docs/buildah-build.1.md, --isolation and --network."""

    name: str
    network: str

    @property
    def options(self) -> list[str]:
        # runc does without control groups, which the jail does not let it make.
        runc = ["--runtime-flag=rootless=true"] if self.name == "oci" else []
        return ["--isolation", self.name, "--network", self.network, *runc]

    def __str__(self) -> str:
        return f"isolation {self.name}, network {self.network}"


def find(kinds: Sequence[str], build: Callable[[list[str]], Ended]) -> tuple[Isolation | None, Ended]:
    """Return the first that works, and how the last try ended. `build`: runs `buildah build` with these arguments.

    Each try is a real build with a RUN: `true` of this machine, whose programs and libraries it is shown.
    """
    candidates = [
        Isolation(kind, network)
        for kind in _KINDS
        if kind in kinds
        for network in (("private", "host") if kind == "oci" else ("host",))
    ]
    true = shutil.which("true") or "/bin/true"
    shown = [part for name in ("/usr", "/bin", "/lib", "/lib64") if os.path.isdir(name) for part in _volume(name)]
    ended = Ended(1, [])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(f'FROM scratch\nRUN ["{true}"]\n')
        for candidate in candidates:
            ended = build([*candidate.options, "--no-cache", "--pull=never", *shown, folder])
            if ended.code == 0:
                return candidate, ended
    return None, ended


def _volume(name: str) -> list[str]:
    return ["--volume", f"{os.path.realpath(name)}:{name}:ro"]
