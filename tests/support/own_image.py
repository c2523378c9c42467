"""dppctl's own images, made of the repository's Dockerfile on a base without a registry.

They are made once for what they are made of, and stay in the tests' storage: their names say what that was. So do the
stages without dppctl's own code, which are most of it: they are made again when what they are made of has changed.
"""

import hashlib
import re
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


def _build(images: Images, scratch: Path, name: str) -> None:
    """Build it on the stages that do not change with dppctl's own code, which are made where they are not there."""
    text = (REPOSITORY / "Dockerfile").read_text()
    unchanging = [*_versions(), text.partition("\nFROM environment AS servers\n")[0].encode()]
    read = _context("requirements.txt", "cluster/local/dpp", "images")
    unchanging += [(REPOSITORY / file).read_bytes() for file in read]
    key = _hash(images, unchanging)
    options = ["--network", "host", "--file", str(scratch / "Dockerfile")]
    base = f"127.0.0.1:1/dppctl-base-{key}"
    if not images.has(base):
        add_program(scratch / "root", Path(shutil.which("git") or ""), Path("/usr/lib/git-core"))
        add_program(scratch / "root", Path(shutil.which("ssh") or ""))
        dockerfile = f"FROM {images.python}\nCOPY root /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"
        images.build(base, write_files(scratch, {"Dockerfile": dockerfile}))
    for stage in ("packages", "environment"):
        made = f"127.0.0.1:1/dppctl-{stage}-{key}"
        if not images.has(made):
            (scratch / "Dockerfile").write_text(text)
            images.build(made, REPOSITORY, "--target", stage, "--build-arg", f"BASE={base}", *options)
        start, end = re.split(rf"^FROM .* AS {stage}\n", text, flags=re.MULTILINE)
        # Not `FROM {made} AS {stage}`: of a stage without instructions buildah leaves a container.
        rest = re.sub(rf"^FROM {stage} ", f"FROM {made} ", end[end.index("FROM ") :], flags=re.MULTILINE)
        text = start + rest.replace(f"--from={stage} ", f"--from={made} ")
    (scratch / "Dockerfile").write_text(text)
    images.build(name, REPOSITORY, "--target", "servers", "--label", _LABEL, *options)
    _remove_old_stages(images, key)


def _remove_old_stages(images: Images, key: str) -> None:
    """Remove what other ones were built on, a day after it was made."""
    found = images.run("podman", "images", "--filter", f"until={_KEPT}", "--format", "{{.Repository}}").split()
    stages = tuple(f"127.0.0.1:1/dppctl-{stage}-" for stage in ("base", "packages", "environment"))
    for old in found:
        if old.startswith(stages) and not old.endswith(key):
            images.run("podman", "rmi", "--force", old)


def _key(images: Images) -> str:
    parts = [*_versions(), Path(__file__).read_bytes()]
    for file in _context():
        parts += [f"{file}".encode(), (REPOSITORY / file).read_bytes()]
    return _hash(images, parts)


def _versions() -> list[bytes]:
    return [subprocess.check_output(one, stderr=subprocess.STDOUT) for one in (["git", "--version"], ["ssh", "-V"])]


def _hash(images: Images, parts: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join([str(images.storage).encode(), *parts])).hexdigest()[:12]


def _context(*names: str) -> Iterator[Path]:
    """The files that the build reads, or those of them below these names."""
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for name in names or ("Dockerfile", ".dockerignore", *(line[1:] for line in ignore if line.startswith("!"))):
        for path in [REPOSITORY / name, *sorted((REPOSITORY / name).rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(REPOSITORY)
