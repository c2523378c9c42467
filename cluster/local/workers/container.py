"""A worker in a container: the app's image, with the worker and the folders that it needs mounted in.

Nothing of ours is in the image, which brings python3 and dpp itself, and its ENTRYPOINT does not run. The container is
its worker: it ends when the worker does, with all that runs in it, and the worker ends when its standard input does.
So nothing stays when dppctl is killed; what a machine that loses power leaves is known by its label.

The network is a container's own, without what listens on this machine's 127.0.0.1, unless that is asked for. What the
image may do beyond that is what its user may do, to its own files and to the mounted folders: it has no capabilities
and cannot gain any.
"""

import csv
import io
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.program_environment import CONTAINERS, listed_environment
from cluster.errors import ClusterError
from cluster.local.workers.podman import COMMAND, podman, reason, without_notes
from cluster.local.workers.podman_images import Image

_LABEL = "dppctl.owner"
_WORKER = "/dppctl/worker.pyz"
# Containers of ours start nothing of the image's own accord, and keep nothing when they are gone.
_BARE = ("--pull", "never", "--image-volume", "ignore")


def _new_name() -> str:
    return f"dppctl-{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Container:
    """A container for a single run of a worker."""

    image: Image
    owner: str  # whose it is: of what one owner left, nothing may run any more when it starts the next
    folders: Mapping[Path, str]  # of this machine, and where they are inside; all may be written to
    as_its_user: bool  # root may run it as the user that the image names, and gives it the folders; else as this user
    shares_network: bool = False  # it sees what listens on this machine's 127.0.0.1
    name: str = field(default_factory=_new_name)

    def command(self, zipapp: Path) -> list[str]:
        """Return the command that starts a worker in it, to be followed by the worker's own arguments."""
        theirs = self.as_its_user and not self.image.rootless
        # This user is root inside; without DAC_OVERRIDE it could not read what the image has for its own user only.
        user = [] if theirs else ["--user", "0:0", "--cap-add", "DAC_OVERRIDE"]
        mounts = [_mount(zipapp, _WORKER, "ro=true")]
        mounts += [_mount(folder, inside, f"U={str(theirs).lower()}") for folder, inside in self.folders.items()]
        return [
            *COMMAND, "run", "--rm", "--interactive", *_BARE, "--name", self.name, "--label", f"{_LABEL}={self.owner}",
            *(("--network", "host") if self.shares_network else ()), "--log-driver", "none", "--cap-drop", "all", *user,
            "--security-opt", "no-new-privileges", "--security-opt", "label=disable",
            *(word for mount in mounts for word in ("--mount", mount)),
            "--entrypoint", "python3", self.image.reference, _WORKER,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Return the environment of that command: what podman needs."""
        return listed_environment(*CONTAINERS)

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what is given; the image has its own. Podman does not see names like PATH or HOME."""
        return dict(given)

    def path(self, file: Path) -> Path:
        """Return where a file of a mounted folder is inside."""
        for folder, inside in self.folders.items():
            if file.is_relative_to(folder):
                return Path(inside) / file.relative_to(folder)
        raise ValueError(f"{file} is not mounted")

    def complaint(self, code: int, stderr: str) -> str:
        """Return why the worker failed, by https://docs.podman.io/en/latest/markdown/podman-run.1.html#exit-status ."""
        reference = self.image.reference
        if code == 127 and "executable file" in stderr:
            return f"the image {reference} has no python3 on its PATH; install it in its Dockerfile"
        if 125 <= code <= 127:
            return f"podman cannot run the image {reference}: {reason(stderr)}"
        return without_notes(stderr)

    def clear(self) -> None:
        """Remove it, also when podman was ended before it could do that itself. Raises ClusterError."""
        _remove(self.name)


def clear_leftovers(owner: str) -> None:
    """Remove all that this owner left, such as by a loss of power. Raises ClusterError."""
    if found := podman("ps", "--all", "--quiet", "--filter", f"label={_LABEL}={owner}").split():
        _remove(*found)


def copy_workload(image: Image, owner: str, target: Path, stop: threading.Event) -> None:
    """Copy what the image has in its WORKDIR to this folder, which is made. Raises ClusterError and StoppedError."""
    name = _new_name()
    podman(
        "create", *_BARE, "--name", name, "--label", f"{_LABEL}={owner}", "--entrypoint", "", image.reference, "true"
    )
    try:
        target.mkdir(parents=True)
        podman("cp", f"{name}:{image.workdir}/.", str(target), stop=stop)
    except ClusterError as error:
        raise ClusterError(f"the image {image.reference}: {image.workdir} cannot be read: {error}") from error
    finally:
        _remove(name)


def _remove(*names: str) -> None:
    podman("rm", "--force", "--ignore", "--volumes", "--time", "0", *names)


def _mount(source: Path, inside: str, option: str) -> str:
    """Return what `--mount` takes: a line of CSV, so a path may hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"destination={inside}", option])
    return line.getvalue()
