"""dppctl's own image, made of the repository's Dockerfile on a base without a registry.

It is made once for what it is made of, and stays in the tests' storage: its name says what that was.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.support.base_images import add_program
from tests.support.environment import REPOSITORY
from tests.support.images import Images, one_at_a_time
from tests.support.workloads import write_files

_LABEL = "dppctl.tests=own-image"
_KEPT = "24h"  # when another is made


def own_image(images: Images) -> str:
    """NAME@DIGEST in the storage. The base: the tests' Python, and this machine's git and ssh."""
    name = f"127.0.0.1:1/dppctl-{_key(images)}"
    with one_at_a_time(images.storage / "own-image.lock"):
        if name not in images.run("podman", "image", "list", "--format", "{{.Repository}}").split():
            old = ("--filter", f"label={_LABEL}", "--filter", f"until={_KEPT}")
            images.run("podman", "image", "prune", "--all", "--force", *old)
            with tempfile.TemporaryDirectory(prefix="dppctl-test-image-") as scratch:
                _build(replace(images, made=[]), Path(scratch), name)
        return f"{name}@{images.digest(name)}"


def _build(images: Images, context: Path, name: str) -> None:
    add_program(context / "root", Path(shutil.which("git") or ""), Path("/usr/lib/git-core"))
    add_program(context / "root", Path(shutil.which("ssh") or ""))
    write_files(context, {"Dockerfile": f"FROM {images.python}\nCOPY root /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"})
    base = images.build(f"{name}-base", context, "--label", _LABEL)
    images.build(name, REPOSITORY, "--network", "host", "--build-arg", f"BASE={base}", "--label", _LABEL)


def _key(images: Images) -> str:
    versions = [subprocess.check_output(one, stderr=subprocess.STDOUT) for one in (["git", "--version"], ["ssh", "-V"])]
    found = hashlib.sha256(f"{images.storage}\0{versions!r}".encode())
    for file in _context():
        found.update(f"\0{file}\0".encode() + (REPOSITORY / file).read_bytes())
    found.update(Path(__file__).read_bytes())
    return found.hexdigest()[:12]


def _context() -> Iterator[Path]:
    """What the build reads."""
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for name in ("Dockerfile", ".dockerignore", *(line[1:] for line in ignore if line.startswith("!"))):
        for path in [REPOSITORY / name, *sorted((REPOSITORY / name).rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(REPOSITORY)
