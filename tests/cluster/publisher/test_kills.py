"""A publisher, or its rclone, is killed at each step: readers have the old version whole, the next try ends well."""

import multiprocessing
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.publish import publish
from cluster.publisher.shapes import PublicationItem
from cluster.storage.layout import Pointer, Prefix
from tests.support.asynchronous import run_async
from tests.support.builders import free_port
from tests.support.publisher.buckets import rclone_daemon
from tests.support.publisher.world import PublisherWorld, package_files, publisher_world, tar_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
PREFIX = "ann+data/production/"
ITEM = PublicationItem(kind="data package", source="data/committees", path="committees/")


def _publish(root: Path, received: Path, release: str, kill_at: int = -1) -> None:
    """Publish to a folder; `kill_at`: be killed before this operation on a file of it."""
    operations = 0

    def count(event: str, given: tuple[Any, ...]) -> None:
        nonlocal operations
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir") and str(root) in str(given):
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            operations += 1

    if kill_at >= 0:
        sys.addaudithook(count)
    now = datetime.now(UTC)
    engine = FolderEngine(root)
    run_async(publish(engine, received, Prefix.parse(PREFIX), release, [ITEM], "https://data.example.org", now))


def _received(folder: Path, text: str) -> Path:
    for path, content in package_files("committees", text).items():
        file = folder / ("last" if path.endswith(".json") else "first") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def _release(number: int) -> str:
    return f"20260101-0000{number:02}-u"


def test_a_folder_has_a_whole_version_at_whatever_operation_the_publisher_is_killed(tmp_path: Path) -> None:
    root, context = tmp_path / "storage", multiprocessing.get_context("fork")
    texts = [f"version {number}" for number in range(5)]
    for number, text in enumerate(texts[:4]):
        _publish(root, _received(tmp_path / str(number), text), _release(number))
    new = _received(tmp_path / "4", texts[4])
    seen, kills = set(), 0
    while True:
        process = context.Process(target=_publish, args=(root, new, _release(4), kills))
        process.start()
        process.join()
        pointer = Pointer.read((root / f"{PREFIX}current.json").read_bytes())
        content = (root / PREFIX / "releases" / str(pointer.resolve("committees")) / "committees/rows.csv").read_text()
        assert content in (f"name\n{texts[3]}\n", f"name\n{texts[4]}\n")
        seen.add(content)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills > 10
    assert len(seen) == 2
    there = sorted(path.name for path in (root / PREFIX / "releases").iterdir())
    assert there == [_release(number) for number in (2, 3, 4)]
    assert {path.name for path in (root / PREFIX).iterdir()} <= {"current.json", "releases", ".current.json.part"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with publisher_world("s3", tmp_path_factory.mktemp("killed") / "world") as made:
        yield made


def _read(world: PublisherWorld) -> bytes | None:
    return world.current(PREFIX, "committees/rows.csv")


def test_a_bucket_has_a_whole_version_at_whatever_call_the_publisher_is_killed(world: PublisherWorld) -> None:
    world.start()
    for number in range(3):
        files = package_files("committees", "old")
        assert world.publish(files, uid=f"old{number}", prefix=PREFIX)["state"] == "published"
    world.worker.tar = tar_of(package_files("committees", "new"))
    ask = {"worker": world.address, "uid": "new", "prefix": PREFIX}
    killed = {b"name\nold\n": 0, b"name\nnew\n": 0}
    at = 0
    while True:
        publisher = world.start(kills=(at, 0))
        publisher.try_to_ask(**ask)
        publisher.wait_for("new")
        content = _read(world)
        assert content in killed, at
        if publisher.is_alive:
            break
        killed[content] += 1
        at = 0 if killed[content] == 1 else at + 1  # what comes after the switch is counted anew
    assert publisher.ended("new")["state"] == "published"
    assert content == b"name\nnew\n"
    assert min(killed.values()) > 5, killed
    assert len(list((world.folder / "objects" / "public" / PREFIX / "releases").iterdir())) == 3
    eventually(lambda: not list((world.folder / "scratch" / "files").iterdir()), "what it had received is gone")


def test_rclone_that_is_killed_is_waited_for(world: PublisherWorld) -> None:
    assert world.bucket
    for call in (0, 3, 4):
        with rclone_daemon(port := free_port(), world.folder, world.bucket.configuration) as pid:
            world.settings["DPPCTL_RCLONE_URL"] = f"http://127.0.0.1:{port}"
            publisher = world.start(kills=(call, pid))
            world.worker.tar = tar_of(package_files("committees", f"{call}"))
            publisher.ask(worker=world.address, uid=f"away{call}", prefix=f"away-{call}/")
            eventually(lambda pid=pid: not Path(f"/proc/{pid}/cmdline").read_bytes(), "rclone is killed")
            assert publisher.call("GET", f"/publications/away{call}")[1]["state"] == "copying"
            with rclone_daemon(port, world.folder, world.bucket.configuration):
                assert publisher.ended(f"away{call}")["state"] == "published"
        assert world.read(f"away-{call}/committees/rows.csv") == f"name\n{call}\n".encode()
