"""`dppctl run --image`: the folder as it is, in an image's environment instead of dpp's own.

The pipelines run as the user who started dppctl, so what they write belongs to that user; the folder takes the place
of what the image has in its WORKDIR.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.databases.database import RunDatabase
from cluster.local.sessions.record import Session
from cluster.local.workers.container import Container
from cluster.local.workers.podman import is_rootless
from cluster.local.workers.podman_images import Image, ensure_image

_SQLITE_FILE = re.compile(r"sqlite(\+\w+)?:///(?P<file>/[^?]+)")  # with four slashes: the path is absolute


@dataclass(frozen=True)
class ImageHost:
    """The worker runs in a container of an image, with the workload in the place of its WORKDIR."""

    image: Image
    folder: Path  # the session's, for files about the container
    workload: Path

    def host(self, database: RunDatabase) -> Container:
        """Return the container to run in; it sees a SQLite database's folder, or the network of another one."""
        folders = {self.workload: self.image.workdir}
        file = _SQLITE_FILE.match(database.engine)
        if file and not Path(file["file"]).is_relative_to(self.image.workdir):
            # The folder, because SQLite writes beside the file too; its path inside is what the URL names.
            parent = Path(file["file"]).parent
            folders[parent] = str(parent)
        return Container(self.image, str(self.folder), folders, as_its_user=False, shares_network=file is None)


def prepare_image(reference: str, worker: Session, workload: Path, say: Callable[[str], None]) -> ImageHost:
    """Pull the image, if need be, and return where to run in it.

    `worker`: the run's session; `say` gets a line for what takes long. Raises ClusterError when the image cannot be
    run on this machine.
    """
    try:
        is_rootless()
    except ClusterError as error:
        raise ClusterError(f"--image {reference}: {error}") from error
    return ImageHost(ensure_image(reference, say=say), worker.folder, workload)
