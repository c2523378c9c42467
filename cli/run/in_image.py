"""`dppctl run --image`: the folder as it is, in an image's environment instead of dpp's own.

The pipelines run as the user who started dppctl, so what they write belongs to that user; the folder takes the place
of what the image has in its WORKDIR.
"""

import re
from collections.abc import Callable
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.databases.database import Database
from cluster.local.sessions.record import Session
from cluster.local.workers.container import Container
from cluster.local.workers.podman import is_rootless
from cluster.local.workers.podman_images import ensure_image

_SQLITE_FILE = re.compile(r"sqlite(\+\w+)?:///(?P<file>/[^?]+)")  # with four slashes: the path is absolute


def in_image(
    reference: str, worker: Session, workload: Path, say: Callable[[str], None]
) -> Callable[[Database], Container]:
    """Have the image here; what gives the place to run in, once the database is there.

    worker: its pod. Raises ClusterError when the image cannot be run on this machine.
    """
    try:
        is_rootless()
    except ClusterError as error:
        raise ClusterError(f"--image {reference}: {error}") from error
    image = ensure_image(reference, say=say)

    def place(database: Database) -> Container:
        folders = {workload: image.workdir}
        file = _SQLITE_FILE.match(database.engine)
        if file and not Path(file["file"]).is_relative_to(image.workdir):
            # The folder, because SQLite writes beside the file too; its path inside is the one that the URL names.
            folder = Path(file["file"]).parent
            folders[folder] = str(folder)
        return Container(image, str(worker.folder), folders, as_its_user=False)

    return place
