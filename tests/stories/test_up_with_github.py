"""`dppctl up` on GitHub: a real push over HTTP, a signed delivery, real rows, and what GitHub then shows."""

import re
from pathlib import Path

from github import Auth, Github

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.forge import APP
from tests.support.github.fake import FakeGitHub
from tests.support.stories.github import free_port
from tests.support.up import Up
from tests.support.waiting import eventually
from tests.support.world import World


def test_a_push_to_github_ends_as_rows_beside_its_commit(
    github: FakeGitHub, tmp_path: Path, runtime: DppEnvironment
) -> None:
    assert runtime.bin.is_dir()
    app, ops = github.repository("ann/app", robot="admin"), github.repository("ann/ops", robot="write")
    ops.git.push({"README.md": ""})
    github.user("robot", "robots-token")
    port = free_port()  # chosen before, as its own URL is a setting of the receiver's
    url = f"http://127.0.0.1:{port}"
    world = World(tmp_path, github.forge, GITHUB_URL=github.url, GITHUB_TOKEN="robots-token")
    up = Up(world.write_config(PORT=str(port), PUBLIC_URL=url, STORAGE_PORT="0"))
    try:
        up.address(60)
        config = {"url": f"{url}/webhooks/github", "content_type": "json", "secret": "hush"}
        client = Github(base_url=github.api_url, auth=Auth.Token("robots-token"), seconds_between_writes=None)
        client.get_repo("ann/app").create_hook("web", config, ["push"])
        commit = app.git.push(APP)
        event = {"ref": "refs/heads/master", "before": "0" * 40, "after": commit}
        github.deliver("ann/app", "push", event | {"repository": {"full_name": "ann/app"}})
        eventually(lambda: "success" in str(app.statuses(commit)), "GitHub shows the rows", 90)
        ((state, description),) = app.statuses(commit).values()
        assert re.fullmatch(r"success 3 rows in \d+ s", f"{state} {description}")
        eventually(lambda: app.shown()[0][2][-1] == "success", "GitHub shows the deployment")
        assert {one["status_code"] for every in app.deliveries.values() for one in every} == {202}
        assert "robots-token" not in (tmp_path / "config" / "log").read_text()
    finally:
        up.kill()
