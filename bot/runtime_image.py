"""The files that the runtime image is built from: what an app without a Dockerfile runs in."""

import shutil
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path


def runtime_context(folder: Path, lock: Path) -> Path:
    """Write the build's context into this folder, which is made; its Dockerfile.

    lock: the folder of dpp's lock and overrides, as they are installed with dppctl (`cluster/local/dpp`). The same
    release of dppctl always writes the same files. The build argument BASE names another image with Python and pip.
    """
    folder.mkdir(parents=True)
    with as_file(files("images") / "runtime" / "Dockerfile") as dockerfile:
        shutil.copyfile(dockerfile, folder / "Dockerfile")
    for name in ("requirements.txt", "overrides.txt"):
        shutil.copyfile(lock / name, folder / name)
    # It installs an app's requirements on top; the release that makes dpp's environment where there is no image.
    (folder / "uv.txt").write_text(f"uv=={version('uv')}\n")
    return folder / "Dockerfile"
