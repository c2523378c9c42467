"""`dppctl build` with files that git itself does not hold: they are in the image as they are, or nothing is built."""

import shutil
from pathlib import Path

import pytest

from tests.support.builders import DOCKERFILE
from tests.support.command import Dppctl
from tests.support.forge import APP, Forge, Repository, git
from tests.support.registry import running_registry

pytestmark = pytest.mark.needs("buildah", "runc", "skopeo", "busybox", "docker-registry", "git-lfs")

DATA = "a,b\n1,2\n"
CHECKED = (
    DOCKERFILE
    + "    COPY a.csv lib/lib.py /data/\n    RUN busybox grep 1,2 /data/a.csv && busybox grep lib /data/lib.py\n"
)


@pytest.fixture
def app(tmp_path: Path) -> Repository:
    """An app with a file of Git LFS, and a submodule."""

    forge = Forge(tmp_path)
    app, library = forge.repository("ann/app"), forge.repository("ann/library")
    library.push({"lib.py": "lib = 1\n"})
    shutil.copy(shutil.which("busybox") or "", app.work / "busybox")
    git(app.work, "lfs", "install", "--local")
    git(app.work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.bare), "lib")
    lfs = "*.csv filter=lfs diff=lfs merge=lfs -text\n"
    app.push({**APP, "Dockerfile": CHECKED, ".gitattributes": lfs, "a.csv": DATA})
    assert git(app.bare, "show", "master:a.csv").startswith("version https://git-lfs")
    return app


def test_large_files_and_submodules_are_in_the_image(dppctl: Dppctl, app: Repository, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        settings = {"DPPCTL_REGISTRY": registry.host, "DPPCTL_BUILDER": "buildah", "DPPCTL_STATE_DIR": str(dppctl.data)}
        done = dppctl("build", cwd=app.work, **settings)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{registry.host}/ann/app@sha256:")


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ("submodule", "a.csv: Git LFS keeps this file"),
        ("lfs", "lib: this folder is a submodule, and its commit"),
    ],
)
def test_what_the_clone_has_not_got_is_named_and_nothing_is_built(
    dppctl: Dppctl, app: Repository, tmp_path: Path, got: str, words: str
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(app.bare), str(clone))
    if got == "lfs":
        git(clone, "lfs", "pull")
    else:
        git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    with running_registry(tmp_path / "registry") as registry:
        settings = {"DPPCTL_REGISTRY": registry.host, "DPPCTL_BUILDER": "buildah", "DPPCTL_STATE_DIR": str(dppctl.data)}
        refused = dppctl("build", cwd=clone, **settings)
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"dppctl: {words}")
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stdout == ""
