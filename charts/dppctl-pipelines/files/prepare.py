"""Run in the app's image before its pipelines: a copy of the app that can be written to, and a database that answers.

The image's own files are read-only. Standard library only, Python 3.8 or newer; what goes wrong is one line on stderr.
"""

import os
import shutil
import socket
import sys
import time
from pathlib import Path

WORKLOAD = Path("/dppctl/workload")


def main() -> None:
    Path("/dppctl/work").mkdir(exist_ok=True)
    Path("/dppctl/home").mkdir(exist_ok=True)
    _copy(Path.cwd())
    (WORKLOAD / os.environ["DPPCTL_FOLDER"]).mkdir(parents=True, exist_ok=True)
    if os.environ.get("DPPCTL_WAIT_FOR"):
        _wait(os.environ["DPPCTL_WAIT_FOR"], float(os.environ["DPPCTL_WAIT_SECONDS"]))


def _copy(source: Path) -> None:
    image = os.environ["DPPCTL_IMAGE"]
    if source == Path("/"):
        sys.exit(f"the image {image} has no WORKDIR; set it in its Dockerfile, or in the value `workdir`")
    shutil.rmtree(str(WORKLOAD), ignore_errors=True)  # of a try before
    try:
        shutil.copytree(str(source), str(WORKLOAD), symlinks=True)
    except shutil.Error as error:
        _, _, first = error.args[0][0]
        sys.exit(
            f"the image {image}: user {os.getuid()} cannot read all of {source}: {first}; "
            "set the value `podSecurityContext.runAsUser` to the user that may, or copy the files with --chown"
        )


def _wait(address: str, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as error:
            if time.monotonic() > end:
                sys.exit(f"the database at {address} does not answer within {seconds:.0f} s: {error}")
            time.sleep(0.5)
        else:
            return


main()
