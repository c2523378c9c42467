"""`dppctl up` and a branch: it has data of its own, which goes with it, though the program is killed meanwhile."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.forge import FLOW, git
from tests.support.stories.machine import PUBLISHING, waiting_for
from tests.support.stories.previews import PREVIEW_APP
from tests.support.up import Up
from tests.support.waiting import SECONDS_TO_WAIT, eventually
from tests.support.world import REGISTRATION, World

pytestmark = pytest.mark.slow
NAME = "preview-new-chart"


def rows(environment: Path) -> int:
    """Return how many rows its current database has; 0 without one."""
    database = environment / "current" / "data.sqlite"
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])


def named(state: Path) -> list[str]:
    """Return the files and folders that have the branch's name, also while they are being removed."""
    return [name for _, folders, files in os.walk(state) for name in [*folders, *files] if NAME in name]


def test_a_branch_has_data_of_its_own_that_goes_with_it_though_all_is_killed(
    runtime: DppEnvironment, tmp_path: Path
) -> None:
    assert runtime.bin.is_dir()
    world = World(tmp_path)
    assert world.ops.log() == ["start"]
    world.app.push(PREVIEW_APP)
    world.app.push(PUBLISHING, "new-chart")
    config = world.write_config(RESYNC_SECONDS="1")
    (config / "apps.yaml").write_text(REGISTRATION.replace("production]", "production, preview-*]"))
    app = config / "state" / "environments" / "ann+app"
    go_on = tmp_path / "go-on"

    up = Up(config)
    try:
        eventually(lambda: rows(app / NAME) == 1, "the branch has its data", SECONDS_TO_WAIT)
        eventually(lambda: rows(app / "staging") == 3, "staging has its own", SECONDS_TO_WAIT)
        assert list((app / NAME).rglob("index.html"))
        world.app.push(waiting_for(go_on, FLOW.replace("range(3)", "range(5)")), "new-chart")
        eventually(lambda: "event=started" in (config / "log").read_text().rpartition(" rows=")[2], "it runs again")
    finally:
        up.kill()
    assert rows(app / NAME) == 1

    go_on.touch()
    up = Up(config)
    try:
        eventually(lambda: rows(app / NAME) == 5, "the change's data has come", SECONDS_TO_WAIT)
    finally:
        up.kill()
    world.app.git("push", "--quiet", "origin", "--delete", "refs/heads/new-chart")
    assert git(world.ops.bare, "show", f"master:environments/{NAME}/values.auto-updated.yaml")

    up = Up(config)
    try:
        eventually(lambda: not named(config / "state"), "nothing has its name", SECONDS_TO_WAIT)
        assert rows(app / "staging") == 3
    finally:
        up.kill()
    files = git(world.ops.bare, "ls-tree", "-r", "--name-only", "master").splitlines()
    assert files == ["README.md", "environments/staging/values.auto-updated.yaml"]
    world.close()
