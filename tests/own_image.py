"""dppctl's own image, made of the repository's Dockerfile on a base without a registry."""

import os
import shutil
from pathlib import Path

from tests.base_images import add_program
from tests.conftest import REPOSITORY, write_files
from tests.images import Images


def build_own_image(images: Images, folder: Path) -> str:
    """NAME@DIGEST in the storage. The base: the tests' Python, and this machine's git and ssh."""
    context = folder / "base"
    add_program(context / "root", Path(shutil.which("git") or ""), Path("/usr/lib/git-core"))
    add_program(context / "root", Path(shutil.which("ssh") or ""))
    write_files(context, {"Dockerfile": f"FROM {images.python}\nCOPY root /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"})
    base = images.build(f"127.0.0.1:1/dppctl-base-{os.getpid()}", context)
    return images.build(
        f"127.0.0.1:1/dppctl-{os.getpid()}", REPOSITORY, "--network", "host", "--build-arg", f"BASE={base}"
    )
