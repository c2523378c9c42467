"""`dppctl list …`, `status` and `open`, beside a store with deployments."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.errors import DppctlError
from cli.main import dppctl
from tests.support.builders import free_port
from tests.support.forge import APP, CONFIG
from tests.support.receipts import data_of, resource
from tests.support.stories.bot import Story
from tests.support.world import World


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with World(tmp_path_factory.mktemp("lists")) as world:
        world.write_config()
        story = Story(world)
        story.app.push(APP)
        story.reconcile()
        story.succeed()
        yield story


def typed(story: Story, *words: str) -> Result:
    return CliRunner().invoke(dppctl, [*words, "--config", str(story.world.config)])


def listed(story: Story, kind: str, *words: str) -> list[dict[str, Any]]:
    ran = typed(story, "list", kind, *words)
    assert ran.exit_code == 0, ran.output
    found: list[dict[str, Any]] = json.loads(ran.output)
    return found


def test_apps_are_listed_with_their_environments(story: Story) -> None:
    (app,) = listed(story, "apps")
    assert (app["app"], app["ops"]) == ("ann/app", "ann/ops")
    assert {"staging", "production"} <= set(app["environments"])
    assert typed(story, "list", "apps", "-o", "name").output == "ann/app\n"


def test_environments_are_listed_with_what_runs_there(story: Story) -> None:
    rows = {row["environment"]: row for row in listed(story, "environments")}
    assert (rows["staging"]["state"], rows["staging"]["ref"]) == ("succeeded", "master")
    assert (rows["production"]["state"], rows["production"]["ref"]) == ("nothing yet", None)
    assert list(rows)[-1] == "production"
    assert "ann/app staging" in typed(story, "list", "environments", "-o", "name").output.splitlines()


def test_deployments_can_be_a_table(story: Story) -> None:
    head, row, *_ = typed(story, "list", "deployments", "-o", "table").output.splitlines()
    assert head.split()[:5] == ["ID", "APP", "ENVIRONMENT", "REF", "STATE"]
    assert row.split()[:5] == ["1", "ann/app", "staging", "master", "succeeded"]


def test_what_came_out_and_what_waits_is_listed(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.write_config()
        story = Story(world)
        story.app.push(APP | {".dppctl.yaml": f"{CONFIG.rstrip()}\n        after: staging\n"})
        story.reconcile()
        story.app.tag("v1")
        story.reconcile()
        waiting, staging = listed(story, "deployments")
        assert (waiting["state"], waiting["waits_for"], waiting["why"]) == ("waiting", "staging", "waits for staging")
        assert (waiting["subject"], waiting["author"], staging["data"]) == ("change", "ann@example.org", None)
        assert {row["environment"]: row["why"] for row in listed(story, "environments")}["production"] == waiting["why"]
        story.report("succeeded", receipt=data_of(resource("zones", 984)), environment="staging")
        assert listed(story, "deployments")[1]["data"] == "984 rows in 1 table, the first"
        assert "984 rows in 1 table, the first" in typed(story, "list", "deployments", "-o", "table").output
        story.loop.close()


def test_status_says_that_nothing_answers_and_what_was_there(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPPCTL_PORT", str(free_port()))
    ran = typed(story, "status", "-o", "json")
    assert ran.exit_code == 1
    assert "nothing listens there; `dppctl up` starts it" in ran.stderr
    assert json.loads(ran.stdout)[0]["app"] == "ann/app"


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ((), "https://dppctl.example.org/"),
        (("3",), "https://dppctl.example.org/deployments/3"),
        (("ann/app", "staging"), "https://dppctl.example.org/apps/ann/app/staging"),
        (("ann/app", "staging", "--storage"), "https://data.example.org/ann+app/staging/"),
    ],
)
def test_open_prints_the_address(
    story: Story, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], url: str
) -> None:
    monkeypatch.setenv("DPPCTL_PUBLIC_URL", "https://dppctl.example.org")
    monkeypatch.setenv("DPPCTL_STORAGE_URL", "https://data.example.org")
    assert typed(story, "open", *words, "--print").output == f"{url}\n"


def test_logs_are_of_the_latest_deployment_and_of_the_latest_that_failed(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.write_config()
        story = Story(world)
        assert "there is no deployment; `dppctl list" in str(typed(story, "logs").exception)
        for number, phase in enumerate(("failed", "succeeded")):
            story.app.push(APP | {"file": str(number)})
            story.reconcile()
            story.store.deployments.append_log(story.last().id, f"log {number}\n")
            story.report(phase, "zones.csv is gone" if phase == "failed" else "")
        assert typed(story, "logs").stdout == typed(story, "logs", "ann/app", "staging").stdout == "log 1\n"
        ran = typed(story, "logs", "ann/app", "--failed")
        assert (ran.stdout, ran.stderr.splitlines()[1]) == ("log 0\n", "failed: zones.csv is gone")
        assert ran.stderr.startswith("Deployment 1: ann/app master ")
        assert typed(story, "logs", "-q").stderr == ""
        for words, said in (
            (("ann/app", "live"), "ann/app is not registered for live; known: production, staging"),
            (("ann/app", "production"), "there is no deployment of ann/app to production; `dppctl list deployments`"),
            (("ann/app", "production", "--failed"), "no deployment has failed of ann/app to production; "),
            (("1", "--failed"), "--failed finds one by itself, and 1 is one already"),
            (("ann/app", "staging", "1"), "ann/app staging 1: name a deployment by its number, or an app and its"),
        ):
            assert said in str(typed(story, "logs", *words).exception)
        story.loop.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("open", "ann/app", "live"), "ann/app is not registered for live; known: "),
        (("open", "--storage"), "--storage is an environment's"),
        (("open", "x"), "x: name a deployment by its number, or an app and its environment"),
    ],
)
def test_what_cannot_be_opened_is_said(story: Story, words: tuple[str, ...], said: str) -> None:
    error = typed(story, *words).exception
    assert isinstance(error, DppctlError)
    assert said in str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lst",), "there is no command 'lst'; did you mean list?"),
        (("list", "dep"), "there is no command 'dep'; did you mean deployments?"),
        (("xyzzy",), "there is no command 'xyzzy'; dppctl --help lists them"),
    ],
)
def test_what_was_meant_is_said(words: tuple[str, ...], said: str) -> None:
    ran = CliRunner().invoke(dppctl, [*words], prog_name="dppctl")
    assert (ran.exit_code, said in ran.output) == (2, True), ran.output


def test_pipelines_of_a_folder_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/pipeline-spec.yaml").write_text("one:\n  schedule: {crontab: '0 6 * * *'}\n  pipeline: []\n")
    ran = CliRunner().invoke(dppctl, ["list", "pipelines", str(tmp_path)])
    assert json.loads(ran.output) == [{"id": "./a/one", "schedule": "0 6 * * *", "file": "a/pipeline-spec.yaml"}]
