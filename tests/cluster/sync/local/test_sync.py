"""Local sync on real repositories with real pipelines: what the ops repo says is what runs."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from textwrap import dedent

import pytest
import requests
from structlog.typing import EventDict

from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.sync.local.storage_server import Storages
from tests.support.forge import APP
from tests.support.stories.machine import FAILING, Machine, Snapshot
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING

ROWS = """
    import os, pathlib
    from dataflows import Flow, update_resource

    def flow(*_):
        assert "hush" not in str(os.environ)
        print("a line of it", flush=True)
        pathlib.Path("data").mkdir(exist_ok=True)
        pathlib.Path("data/index.html").write_text("the site")
        numbers = [{"number": n} for n in range(3)]
        return Flow(numbers, update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
"""
OTHER_ROWS = ROWS.replace("the site", "another site").replace("range(3)", "range(2)")


@dataclass(frozen=True)
class Story:
    """What the tests below look at; a fixture tells it once."""

    commit: str  # of the app, that was deployed first
    ops_commit: str
    url: str  # of staging's storage
    away: Snapshot
    deployed: Snapshot
    again: Snapshot
    failed: Snapshot
    left: tuple[str, str, list[str]]  # by the failure: the source's rows.py, the current release, all releases
    back: Snapshot
    mended: Snapshot
    served: tuple[str, ...]  # at that URL: before anything, when deployed, failed and mended
    served_of_production: int


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, runtime: DppEnvironment) -> Iterator[Story]:
    """Tell it, with three runs: a first deployment, a deployment that fails, and what mends it."""
    folder = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch, closing(Machine(folder, runtime)) as machine:
        patch.setenv("DPPCTL_WEBHOOK_SECRETS", "hush")
        with closing(Storages(0, folder / "environments", machine.sync.targets)) as storages:
            yield tell(machine, storages)


def tell(machine: Machine, storages: Storages) -> Story:
    """Deploy, fail, go back and mend; return what was there after each step."""

    def served() -> str:
        answer = requests.get(url, timeout=60)
        return answer.text if answer.ok else str(answer.status_code)

    def start() -> None:
        machine.start(storage_url=storages.url, retry_seconds=0.5)

    start()
    url = storages.url(STAGING)
    at_url = [served()]
    commit = machine.say({**APP, "rows.py": ROWS})
    elsewhere = machine.app.bare.rename(machine.folder / "away")
    machine.sync.sync()
    away = machine.snapshot()
    machine.events.clear()
    elsewhere.rename(machine.app.bare)
    eventually(lambda: machine.sync.sync() or machine.phases()[1:], "it is tried again")
    at_url.append(served())
    deployed = machine.snapshot()

    machine.ops.pull()
    ops_commit = machine.ops.git("rev-parse", "HEAD")
    machine.ops.push({"README.md": "a person writes something else"})
    machine.sync.sync()
    start()
    machine.sync.sync()
    again = machine.snapshot()

    machine.say(FAILING)
    machine.sync.sync()
    start()
    machine.sync.sync()
    at_url.append(served())
    failed = machine.snapshot()
    current = machine.environment().current()
    assert current
    releases = [folder.name for folder in current.folder.parent.iterdir()]
    left = (current.source / "rows.py").read_text(), current.folder.name, releases

    machine.say_commit(commit)
    machine.sync.sync()
    start()
    machine.sync.sync()
    back = machine.snapshot()

    machine.say({"rows.py": OTHER_ROWS})
    machine.sync.sync()
    at_url.append(served())
    of_production = requests.get(storages.url(PRODUCTION), timeout=60).status_code
    mended = machine.snapshot()
    return Story(
        commit, ops_commit, url, away, deployed, again, failed, left, back, mended, tuple(at_url), of_production
    )


def test_what_the_ops_repo_says_runs_and_its_receipt_is_reported(story: Story) -> None:
    assert story.deployed.numbers == [0, 1, 2]
    assert story.deployed.phases == ["started", "succeeded"]
    end = story.deployed.end
    assert (end.app, end.environment, end.commit) == ("ann/app", "staging", story.commit)
    assert end.message == f"3 rows; published at {story.url}"
    assert end.ops_commit == story.ops_commit
    assert end.receipt
    assert end.receipt.source
    assert end.receipt.source.commit == story.commit
    assert [field.name for field in end.receipt.pipelines[0].resources[0].fields] == ["number"]


def test_the_log_and_each_pipelines_end_are_told_on_the_way(story: Story) -> None:
    progress = [event for event in story.deployed.events if event.phase == "progress"]
    assert "./one: succeeded, 3 rows" in progress[-1].message
    assert "a line of it" in "".join(event.log for event in progress)


def test_pipelines_do_not_see_our_settings(story: Story) -> None:
    assert "hush" in ROWS  # which fails when it sees it
    assert story.deployed.phases[-1] == "succeeded"


def test_a_repository_that_is_away_for_a_while_fails_nothing(story: Story) -> None:
    assert story.away.phases == ["queued"]
    assert story.deployed.phases == ["started", "succeeded"]


def test_what_ran_already_does_not_run_again_not_even_after_a_start(story: Story) -> None:
    assert story.again.phases == ["started", "succeeded"]


def test_a_failed_deployment_leaves_the_environment_on_what_ran_before_and_says_so(story: Story) -> None:
    assert story.failed.phases == ["started", "succeeded", "started", "failed"]
    reason, stays, *details = story.failed.end.message.splitlines()
    assert reason.startswith("./one failed: ")
    assert "the reason" in reason
    assert stays == f"staging stays as it was, on master ({story.commit[:12]})"
    assert details[0] == "./one:"
    assert "Traceback (most recent call last):" in details
    assert (story.failed.numbers, story.failed.site) == ([0, 1, 2], "the site")
    source, current, releases = story.left
    assert "the site" in source
    assert releases == [current]


def test_going_back_from_what_failed_to_what_still_runs_is_done_at_once(story: Story) -> None:
    assert story.back.phases == ["started", "succeeded", "started", "failed", "succeeded"]
    assert story.back.end.message == f"3 rows; published at {story.url}; it ran already"
    assert story.back.end.ops_commit != story.ops_commit


def test_what_mends_a_failed_deployment_is_deployed(story: Story) -> None:
    assert story.mended.phases[-2:] == ["started", "succeeded"]
    assert story.mended.numbers == [0, 1]


def test_what_a_deployment_publishes_is_served_until_another_one_replaces_it(story: Story) -> None:
    assert story.served == ("404", "the site", "the site", "another site")
    assert story.served_of_production == 404


@pytest.mark.parametrize(
    ("files", "pipeline", "said"),
    [
        ({"pipeline-spec.yaml": "one:\n  pipline: []\n"}, "./one", "pipline"),
        (APP, "./two", "./two"),
    ],
)
def test_what_cannot_be_run_at_all_is_failed_with_the_reason(
    machine: Machine, files: dict[str, str], pipeline: str, said: str
) -> None:
    machine.say(files, pipeline)
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert said in machine.events[-1].message
    assert machine.events[-1].message.endswith("staging has nothing yet that runs")


def test_a_commit_that_is_not_there_is_failed(machine: Machine) -> None:
    machine.say(APP)
    machine.ops.pull()
    path = STAGING.values_file
    machine.ops.push({path: dedent(machine.ops.file(path)).replace(machine.app.git("rev-parse", "HEAD"), "d" * 40)})
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]


def test_values_for_another_app_are_not_run(machine: Machine, warned: list[EventDict]) -> None:
    machine.say(APP, repository="bob/app")
    machine.sync.sync()
    assert machine.events == []
    assert "is for another app than ann/app" in str(warned[0]["error"])
