"""dppctl's own images, made of the repository's Dockerfile on a base without a registry.

They are made once for what they are made of, and stay in the tests' storage: their names say what that was.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from uv import find_uv_bin

from tests.support.base_images import add_program
from tests.support.environment import REPOSITORY
from tests.support.images import Images, one_at_a_time
from tests.support.workloads import write_files

_LABEL = "dppctl.tests=own-image"
_KEPT = "24h"  # when another is made
_STAGE = "FROM servers AS one-machine"


def own_image(images: Images) -> str:
    """NAME@DIGEST in the storage. The base: the tests' Python, and this machine's git and ssh."""
    name = f"127.0.0.1:1/dppctl-{_key(images)}"
    with one_at_a_time(images.storage / "own-image.lock"):
        if not images.has(name):
            old = ("--filter", f"label={_LABEL}", "--filter", f"until={_KEPT}")
            images.run("podman", "image", "prune", "--all", "--force", *old)
            with tempfile.TemporaryDirectory(prefix="dppctl-test-image-") as scratch:
                _build(replace(images, made=[]), Path(scratch), name)
        return f"{name}@{images.digest(name)}"


def one_machine_image(images: Images) -> str:
    """NAME in the storage, of the target `one-machine`: its stage, on the image that is there already."""
    own, _, _ = own_image(images).partition("@")
    name = f"{own}-one-machine"
    with one_at_a_time(images.storage / "one-machine.lock"), tempfile.TemporaryDirectory() as scratch:
        if not images.has(name):
            stage = (REPOSITORY / "Dockerfile").read_text().partition(f"\n{_STAGE}\n")[2].partition("\nFROM ")[0]
            assert stage, f"the Dockerfile has no stage {_STAGE}"
            file = Path(scratch, "Dockerfile")
            file.write_text(f"FROM {own}\n{stage}")
            # With what uv has downloaded already on this machine.
            cache = subprocess.check_output([find_uv_bin(), "cache", "dir"], text=True).strip()
            options = ("--network", "host", "--build-arg", "UV_NO_CACHE=0", "--volume", f"{cache}:/tmp/.cache/uv:O")
            replace(images, made=[]).build(name, REPOSITORY, "--file", str(file), *options, "--label", _LABEL)
    return name


def _build(images: Images, context: Path, name: str) -> None:
    add_program(context / "root", Path(shutil.which("git") or ""), Path("/usr/lib/git-core"))
    add_program(context / "root", Path(shutil.which("ssh") or ""))
    write_files(context, {"Dockerfile": f"FROM {images.python}\nCOPY root /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"})
    base = images.build(f"{name}-base", context, "--label", _LABEL)
    images.build(
        name, REPOSITORY, "--target", "servers", "--network", "host", "--build-arg", f"BASE={base}", "--label", _LABEL
    )


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
