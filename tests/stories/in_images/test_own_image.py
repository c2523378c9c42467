"""dppctl's own image, run as a cluster runs it: without rights, and with a root file system that is read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.support.images import Images, index_answers
from tests.support.needs import require
from tests.support.own_image import own_image
from tests.support.waiting import eventually
from tests.support.workloads import write_files

APPS = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n"
RESTRICTED = (
    *("--rm", "--network", "host", "--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp:mode=1777"),
    *("--user", "1000:1000", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
)


@pytest.fixture
def image(images: Images) -> str:
    require(index_answers(images), "a package index that the build can ask")
    return own_image(images)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    return write_files(tmp_path / "config", {"apps.yaml": APPS})


def test_it_runs_without_rights_and_writes_only_its_state(images: Images, image: str, config: Path) -> None:
    def run(*command: str, entry: str = "") -> str:
        entry_point = ("--entrypoint", entry) if entry else ()
        return images.run("podman", "--log-level", "error", "run", *RESTRICTED, *entry_point, image, *command)

    assert run("--version").startswith("dppctl, version ")
    assert run("version", "--short", entry="helm").startswith("v")
    assert run("version", entry="git").startswith("git version ")
    assert "hostname example.org" in run("-F", "none", "-G", "example.org", entry="ssh")
    assert "usage" in run("/opt/dppctl/worker.pyz", "run", "--help", entry="python3")
    assert run("-c", "id -u; ! touch /etc/dppctl/x 2>/dev/null && touch /tmp/x", entry="sh") == "1000"
    assert "Api" in run(
        "-c", "import kubernetes; print(kubernetes.client.BatchV1Api)", entry="/opt/dppctl/venv/bin/python"
    )
    size = int(images.run("podman", "image", "inspect", "--format", "{{.Size}}", image))
    base = int(images.run("podman", "image", "inspect", "--format", "{{.Size}}", images.python))
    assert size - base < 350e6, f"{(size - base) / 1e6:.0f} MB more than its base"
    with _started(images, image, config, "receive") as server:
        eventually(partial(_answers, server), "the receiver answers")
    assert (config.parent / "state" / "dppctl.sqlite").exists()
    with _started(images, image, config, "bot") as server:
        eventually(partial(_answers, server), "the bot answers")


@contextmanager
def _started(images: Images, image: str, config: Path, command: str) -> Iterator[str]:
    """Its address. It ends by SIGTERM, and well."""
    from tests.support.builders import free_port

    port = free_port()
    settings = {
        "WEBHOOK_SECRETS": "hush",
        "SYNC_TOKEN": "t0k3n",
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "GITHUB_URL": "file:///nowhere",
    }
    process = subprocess.Popen(
        [
            *("podman", "--log-level", "error", "run", *RESTRICTED),
            *("--volume", f"{config}:/etc/dppctl:ro", "--volume", f"{config.parent}/state:/var/lib/dppctl"),
            *(part for name, value in settings.items() for part in ("--env", f"DPPCTL_{name}={value}")),
            *(image, command),
        ],
        env={**os.environ, **images.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in out) == (0, False), out
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=60).status_code == 200
    except requests.RequestException:  # it may listen before it can answer
        return False
