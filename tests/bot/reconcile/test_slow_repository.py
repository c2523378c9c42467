"""A repository that takes long to fetch holds up no other."""

import os
from pathlib import Path

import pytest

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.reconcile import refreshes
from tests.support.forge import APP, CONFIG
from tests.support.github.fake import FakeGitHub
from tests.support.slow_link import slow_link
from tests.support.waiting import eventually
from tests.support.world import OPS, STAGING, World

BYTES_A_SECOND = 100_000


def test_a_large_repository_is_deployed_when_it_is_there_and_the_others_before(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshes, "REFRESH_SECONDS", 4.0)
    github.user("robot", "robots-token")
    app, large, ops = (github.repository(f"ann/{name}", robot="write") for name in ("app", "large", "ops"))
    ops.git.push({"README.md": ""})
    (large.git.work / "data").write_bytes(os.urandom(10 * BYTES_A_SECOND))
    large.git.push({**APP, ".dppctl.yaml": CONFIG.replace("ann/app", "ann/large")})
    app.git.push(APP)
    targets = frozenset({STAGING, Target(RepoPath("ann/large"), OPS, "staging")})
    with (
        slow_link(github.url, BYTES_A_SECOND) as url,
        World(tmp_path, GITHUB_URL=url, GITHUB_TOKEN="robots-token") as world,
    ):
        loop = Loop(world.settings, targets, world.git, world.store, lambda: None)
        results = loop.reconcile({"ann/app", "ann/large"})
        assert results["ann/app"].failure is None
        assert (results["ann/large"].failure or "").startswith("ann/large: it is still being fetched")
        assert [deployment.app for deployment in world.store.deployments.newest()] == ["ann/app"]
        eventually(lambda: loop.reconcile({"ann/large"})["ann/large"].failure is None, "it is there")
        assert [deployment.app for deployment in world.store.deployments.newest()] == ["ann/large", "ann/app"]
        loop.close()
