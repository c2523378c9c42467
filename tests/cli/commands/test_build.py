"""`dppctl build` as a user meets it: real buildah, a real registry."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import DOCKERFILE
from tests.support.command import Dppctl
from tests.support.forge import APP, Forge, Repository
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry


@pytest.fixture
@needs("buildah", "runc", "skopeo", "busybox", "docker-registry")
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def app(tmp_path: Path) -> Repository:
    app = Forge(tmp_path).repository("ann/app")
    shutil.copy(shutil.which("busybox") or "", app.work / "busybox")
    app.push({**APP, "Dockerfile": DOCKERFILE})
    return app


def build(dppctl: Dppctl, app: Repository, registry: LocalRegistry, *options: str) -> subprocess.CompletedProcess[str]:
    settings = {"DPPCTL_REGISTRY": registry.host, "DPPCTL_BUILDER": "buildah", "DPPCTL_STATE_DIR": str(dppctl.data)}
    settings["DPPCTL_IMAGE_REGISTRIES"] = "127.0.0.1,docker.io"
    return dppctl("build", *options, cwd=app.work, **settings)


def test_it_prints_the_digest_that_the_registry_has_and_builds_the_same_files_once(
    dppctl: Dppctl, app: Repository, registry: LocalRegistry
) -> None:
    done = build(dppctl, app, registry)
    assert done.returncode == 0, done.stderr
    (tag,) = registry.tags("ann/app")
    digest = registry.digest(f"{registry.host}/ann/app:{tag}")
    assert done.stdout == f"{registry.host}/ann/app@{digest}\n"
    assert "STEP" in done.stderr
    (app.work / "note.txt").write_text("not committed")
    again = build(dppctl, app, registry)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert again.stderr == "dppctl: what is not committed below . is left out\n"


def test_a_new_base_image_makes_a_new_image_and_one_that_is_away_does_not(
    dppctl: Dppctl, app: Repository, registry: LocalRegistry, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "other") as other:
        other.push("base:1", labels={"base": "old"}, layers=1)
        app.push({"Dockerfile": DOCKERFILE.replace("FROM scratch", f"FROM {other.host}/base:1")})
        old = build(dppctl, app, registry)
        assert old.returncode == 0, old.stderr
        other.push("base:1", labels={"base": "new"}, layers=1)
        new = build(dppctl, app, registry)
        assert json.loads(registry.config(new.stdout.strip()))["config"]["Labels"]["base"] == "new"
    again = build(dppctl, app, registry)
    assert (again.stdout, again.stderr) == (new.stdout, "")
    assert old.stdout != new.stdout


def test_rebuild_builds_each_step_anew(dppctl: Dppctl, app: Repository, registry: LocalRegistry) -> None:
    app.push({"Dockerfile": DOCKERFILE.replace("echo built", "cat /proc/sys/kernel/random/uuid")})
    first = build(dppctl, app, registry)
    anew = build(dppctl, app, registry, "--rebuild")
    assert anew.returncode == 0, anew.stderr
    assert first.stdout != anew.stdout == build(dppctl, app, registry).stdout


def test_a_ready_image_is_not_rebuilt(dppctl: Dppctl, app: Repository, registry: LocalRegistry) -> None:
    app.push({".dppctl.yaml": f"image: {registry.host}/tools:1\n"})
    refused = build(dppctl, app, registry, "--rebuild", "--app", "ann/app")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "dppctl: ann/app has no image that is built here; leave out --rebuild\n"


def test_a_failing_build_is_told_with_its_last_lines(dppctl: Dppctl, app: Repository, registry: LocalRegistry) -> None:
    app.push({"Dockerfile": DOCKERFILE.replace("echo built > /built", "cat /nothing")})
    done = build(dppctl, app, registry)
    assert (done.returncode, done.stdout) == (1, "")
    assert "can't open '/nothing'" in done.stderr.partition("dppctl: ")[2]


def test_without_a_registry_it_says_what_to_set(dppctl: Dppctl, app: Repository) -> None:
    done = dppctl("build", cwd=app.work)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "dppctl: ann/app has a Dockerfile, and there is no registry for its image: set DPPCTL_REGISTRY\n"
    )


def test_a_configuration_that_is_a_link_is_named_as_such(dppctl: Dppctl, app: Repository) -> None:
    (app.work / ".dppctl.yaml").rename(app.work / "real.yaml")
    (app.work / ".dppctl.yaml").symlink_to("real.yaml")
    app.push_all()
    done = dppctl("build", cwd=app.work, DPPCTL_REGISTRY="127.0.0.1:1")
    assert done.returncode != 0
    assert ".dppctl.yaml is a symbolic link, which is not followed; put the file itself there" in done.stderr


def test_a_folder_outside_git_is_refused(dppctl: Dppctl, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = dppctl("build", str(tmp_path / "empty"), cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing of it is committed" in done.stderr
