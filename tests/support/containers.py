"""Containers of a cluster whose node is this machine: their processes, to be killed, and what they see."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import Namespace, selected
from tests.support.needs import require


@dataclass(frozen=True)
class RunningContainer:
    """A container that runs: the process that it began with, as this machine knows it."""

    id: str
    pid: int

    @property
    def root(self) -> Path:
        """Return the folder of its files, volumes too."""
        return Path(f"/proc/{self.pid}/root")

    def written(self) -> int:
        """Return how many bytes it has written, to files and to others."""
        text = Path(f"/proc/{self.pid}/io").read_text()
        return int(dict(line.split(": ") for line in text.splitlines())["wchar"])

    def kill(self) -> None:
        """End it as a lack of memory does."""
        os.kill(self.pid, signal.SIGKILL)


def running_container(namespace: Namespace, release: str, component: str, name: str) -> RunningContainer | None:
    """Return a container of the newest pod of a release's part; None: it does not run now."""
    pods = namespace.get("pods", selected(release, component))
    statuses = pods[-1]["status"].get("containerStatuses", []) if pods else []
    found = next((each for each in statuses if each["name"] == name and "running" in each["state"]), None)
    if found is None:
        return None
    identity = str(found["containerID"]).rpartition("/")[2]
    pid = min(_processes(identity), default=0)
    return RunningContainer(identity, pid) if pid else None


def require_node_here(namespace: Namespace, release: str, component: str, name: str) -> None:
    """Skip the test where a container that runs is none of this machine's."""
    require(running_container(namespace, release, component, name), "the cluster's node, whose processes it would kill")


def _processes(identity: str) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if identity in (folder / "cgroup").read_text():
                    yield int(folder.name)
