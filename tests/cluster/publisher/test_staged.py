"""What a Job's pipelines staged is published by a container of the same pod, which believes nothing of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environment import REPOSITORY
from tests.support.publisher.buckets import answers
from tests.support.publisher.process import SITE, package
from tests.support.publisher.staged import stage
from tests.support.publisher.world import package_files, publisher_world
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def published(staged: Path, to: str, *options: str) -> tuple[int, str]:
    """Run the container's command; its exit code and what it says."""
    command = [sys.executable, "-m", "cluster.publisher.staged", f"--publication={staged}", f"--to={to}", *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1]


def test_a_volume_gets_releases_and_keeps_what_was_at_its_top(tmp_path: Path) -> None:
    (root := tmp_path / "volume").mkdir()
    (root / "old.csv").write_text("from before")
    first = stage(
        tmp_path / "1",
        {"index.html": b"site", **package_files("committees", "a")},
        SITE,
        package("committees/"),
    )
    code, said = published(first, str(root))
    assert (code, said.startswith("published 3 files, ")) == (0, True), said
    second = stage(tmp_path / "2", package_files("committees", "b"), package("committees/"))
    assert published(second, str(root))[0] == 0
    paths = json.loads((root / "current.json").read_text())["paths"]
    assert (root / "releases" / paths["committees/"] / "committees/rows.csv").read_text() == "name\nb\n"
    assert (root / "releases" / paths[""] / "index.html").read_text() == "site"
    assert (root / "old.csv").read_text() == "from before"
    assert published(tmp_path / "nothing", str(root)) == (0, "there is nothing to publish")
    before = (root / "current.json").read_text()
    linked = stage(tmp_path / "3", package_files("committees", "c"), package("committees/"))
    (linked / "files/committees/rows.csv").unlink()
    (linked / "files/committees/rows.csv").symlink_to("/etc/passwd")
    (linked / "files/committees/secret").symlink_to("/etc")
    assert published(linked, str(root))[0] == 0
    release = json.loads((root / "current.json").read_text())["paths"]["committees/"]
    assert [path.name for path in (root / "releases" / release / "committees").iterdir()] == ["datapackage.json"]
    for number, items in enumerate(("[]", '{"items": [{"path": "../"}]}')):
        forged = stage(tmp_path / f"forged{number}", package_files("committees", "x"))
        (forged / "items.json").write_text(items)
        code, line = published(forged, str(root))
        assert (code, "items.json is not what the worker writes" in line) == (1, True), line
    assert before != (root / "current.json").read_text()


def test_a_bucket_gets_releases_and_rclone_ends_with_it(tmp_path: Path) -> None:
    with publisher_world("s3", tmp_path / "world") as world:
        options = (
            f"--url={world.url}",
            f"--rclone=http://127.0.0.1:{world.rclone_port}",
            f"--password-file={tmp_path}/world/password",
            f"--scratch={tmp_path}",
        )
        staged = stage(tmp_path / "1", package_files("committees", "a"), package("committees/"))
        code, said = published(staged, "storage:public", *options)
        assert code == 0, said
        stable = json.loads(world.read("committees/datapackage.json") or b"")
        assert stable["resources"][0]["path"].startswith(f"{world.url}/releases/")
        assert world.current("", "committees/rows.csv") == b"name\na\n"
        eventually(lambda: not answers(world.rclone_port), "its rclone ends, as it was told to")
        code, said = published(staged, "storage:public", *options)
        assert (code, said.startswith("rclone does not answer at ")) == (1, True), said
