"""A run that is published into a bucket by real pods, whose publisher and rclone are killed in the middle of it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import POLL, ClusterImages, open_namespace
from tests.support.containers import RunningContainer, require_node_here, running_container
from tests.support.environment import REPOSITORY
from tests.support.needs import require
from tests.support.publisher.buckets import s3_bucket
from tests.support.stories.public_release import RELEASE, PublicRelease, public_release
from tests.support.waiting import eventually
from tests.support.workloads import write_files

MEGABYTES = 300
LARGE = f"""
import os
from datapackage_pipelines.wrapper import ingest, spew
parameters, datapackage, resources = ingest()
os.makedirs('data', exist_ok=True)
with open('data/large.bin', 'wb') as file:
    for number in range({MEGABYTES}):
        file.write(bytes([number % 256]) * 2**20)
with open('data/index.html', 'w') as file:
    file.write('<h1>all of it</h1>')
spew(datapackage, [])
"""
SPEC = json.dumps({"large": {"pipeline": [{"run": "large", "code": LARGE}]}})
SCRATCH = Path("var/lib/dppctl/publisher")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an S3 server's objects."""
    return tmp_path_factory.mktemp("bucket")


@pytest.fixture(scope="module")
def lab(
    cluster_images: ClusterImages,
    dppctl_image: str,
    rclone: str,
    bucket: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PublicRelease]:
    host = os.environ.get("DPPCTL_TEST_CLUSTER_HOST")
    require(host, "DPPCTL_TEST_CLUSTER_HOST, this machine's address as the cluster's pods reach it")
    folder = tmp_path_factory.mktemp("lab")
    with open_namespace(folder) as namespace, s3_bucket(bucket, str(host)) as made:
        data = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket"}}
        namespace.apply({**data, "stringData": dict(made.configuration)})
        place = {"path": made.remote.partition(":")[2], "existingSecret": "bucket", "url": made.url}
        values = {
            "storage": {"engine": "bucket", "rcloneImage": rclone, "bucket": place},
            "pool": {"workers": {"database": False}, "resources": {"limits": {"ephemeral-storage": "4Gi"}}},
        }
        with public_release(namespace, cluster_images, dppctl_image, ["ann"], values) as lab:
            yield lab


def test_a_publication_whose_publisher_and_rclone_are_killed_is_whole_in_the_end(
    lab: PublicRelease, bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    lab.type("init", "public", "--url", lab.url, stdin=f"{lab.tokens['ann']}\n")
    write_files(tmp_path / "app", {"pipeline-spec.yaml": SPEC})
    require_node_here(lab.namespace, RELEASE, "publisher", "rclone")
    objects = bucket / "objects" / "public"
    command = [sys.executable, "-m", "cli.main", "run", "all"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        command, cwd=tmp_path / "app", env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        # Killed while it receives: what it has of that goes, and the same volume is begun on again.
        publisher = caught(lab, "publisher", running, receives)
        publisher.kill()
        eventually(lambda: other_than(lab, publisher), "Kubernetes starts it again", 180, POLL)
        assert not [*objects.rglob("index.html")]
        # Killed with its pod and its volume: whoever asked for the publication asks the next one again.
        caught(lab, "publisher", running, receives)
        pods = [f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=publisher"]
        lab.namespace.kubectl("delete", "pod", *pods, "--grace-period=0", "--force", "--wait=false")
        assert not [*objects.rglob("index.html")]
        # rclone, while it copies: it is waited for, and copies again.
        rclone = caught(lab, "rclone", running, copies)
        rclone.kill()
        assert not [*objects.rglob("index.html")]
        said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, f"{said}\n{lab.namespace.describe()}"
    shown = re.search(rf"^data/index\.html > ({re.escape(lab.storage_url)}/(\S+)/)$", said, re.MULTILINE)
    assert shown, said
    # rclone's S3 server shows nobody what is left of an upload that broke off.
    files = {path.name: path for path in (objects / shown[2]).iterdir() if "multipart" not in path.name}
    assert set(files) == {"index.html", "large.bin"}
    expected = b"".join(bytes([number % 256]) * 2**20 for number in range(MEGABYTES))
    assert files["large.bin"].read_bytes() == expected
    assert "all of it" in lab.read(shown[1]).text


def caught(
    lab: PublicRelease,
    name: str,
    running: "subprocess.Popen[str]",
    condition: Callable[[RunningContainer], bool],
) -> RunningContainer:
    """Return a container of the publisher's pod at the moment that this is so."""
    found: list[RunningContainer] = []

    def look() -> bool:
        assert running.poll() is None, f"{running.stdout.read() if running.stdout else ''}\n{lab.namespace.describe()}"
        container = found[-1] if found else running_container(lab.namespace, RELEASE, "publisher", name)
        if container is None or not container.root.joinpath("etc").exists():
            found.clear()
            return False
        found[:] = [container]
        return condition(container)

    eventually(look, f"{name} is at work", 180)
    return found[-1]


def other_than(lab: PublicRelease, before: RunningContainer) -> bool:
    now = running_container(lab.namespace, RELEASE, "publisher", "publisher")
    return now is not None and now.id != before.id


def receives(publisher: RunningContainer) -> bool:
    """Return whether it has a part of the file."""
    sizes = [path.stat().st_size for path in publisher.root.glob(f"{SCRATCH}/files/*/first/large.bin")]
    return any(0 < size < MEGABYTES * 2**20 for size in sizes)


def copies(rclone: RunningContainer) -> bool:
    """Return whether it has sent a part of the file, and not all of it."""
    return MEGABYTES * 2**20 > rclone.written() > 2**24
