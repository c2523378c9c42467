"""Local sync on real repositories with real pipelines: what the ops repo says is what runs."""

from textwrap import dedent

import pytest
from structlog.typing import EventDict

from tests.support.forge import APP, FLOW
from tests.support.stories.machine import FAILING, PUBLISHING, Machine
from tests.support.waiting import eventually
from tests.support.world import STAGING


def test_what_the_ops_repo_says_runs_and_its_receipt_is_reported(machine: Machine) -> None:
    commit = machine.say(APP)
    machine.sync.sync()
    assert machine.numbers() == [0, 1, 2]
    assert machine.phases() == ["started", "succeeded"]
    end = machine.events[-1]
    assert (end.app, end.environment, end.commit, end.message) == ("ann/app", "staging", commit, "3 rows")
    machine.ops.pull()
    assert end.ops_commit == machine.ops.git("rev-parse", "HEAD")
    assert end.receipt
    assert end.receipt.source
    assert end.receipt.source.commit == commit
    assert [field["name"] for field in end.receipt.pipelines[0].resources[0]["fields"]] == ["number"]


def test_the_log_and_each_pipelines_end_are_told_on_the_way(machine: Machine) -> None:
    machine.say(
        {**APP, "rows.py": FLOW.replace("def flow(*_):", 'def flow(*_):\n        print("a line of it", flush=True)')}
    )
    machine.sync.sync()
    progress = [event for event in machine.events if event.phase == "progress"]
    assert "./one: succeeded, 3 rows" in progress[-1].message
    assert "a line of it" in "".join(event.log for event in progress)


def test_what_ran_already_does_not_run_again_not_even_after_a_start(machine: Machine) -> None:
    machine.say(APP)
    machine.sync.sync()
    machine.ops.pull()
    machine.ops.push({"README.md": "a person writes something else"})
    machine.sync.sync()
    machine.start().sync()
    assert machine.phases() == ["started", "succeeded"]


def test_a_failed_deployment_leaves_the_environment_on_what_ran_before_and_says_so(machine: Machine) -> None:
    first = machine.say({**APP, **PUBLISHING})
    machine.sync.sync()
    machine.say(FAILING)
    machine.sync.sync()
    machine.start().sync()
    assert machine.phases() == ["started", "succeeded", "started", "failed"]
    reason, stays, *details = machine.events[-1].message.splitlines()
    assert reason.startswith("./one failed: ")
    assert "the reason" in reason
    assert stays == f"staging stays as it was, on master ({first[:12]})"
    assert details[0] == "./one:"
    assert "Traceback (most recent call last):" in details
    current = machine.environment().current()
    assert current
    assert "the site" in (current.source / "rows.py").read_text()
    assert (current.storage / "index.html").read_text() == "the site"
    assert machine.numbers() == [1]
    assert [one.name for one in current.folder.parent.iterdir()] == [current.folder.name]
    machine.say({"rows.py": FLOW.replace("range(3)", "range(2)")})
    machine.sync.sync()
    assert machine.phases()[-2:] == ["started", "succeeded"]
    assert machine.numbers() == [0, 1]


def test_going_back_from_what_failed_to_what_still_runs_is_done_at_once(machine: Machine) -> None:
    first = machine.say(APP)
    machine.sync.sync()
    machine.say(FAILING)
    machine.sync.sync()
    machine.say_commit(first)
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded", "started", "failed", "succeeded"]
    assert machine.events[-1].message == "3 rows; it ran already"
    assert machine.events[-1].ops_commit != machine.events[0].ops_commit
    machine.start().sync()
    assert len(machine.phases()) == 5


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


def test_a_repository_that_is_away_for_a_while_fails_nothing(machine: Machine) -> None:
    machine.start(retry_seconds=0.5)
    machine.say(APP)
    away = machine.app.bare.rename(machine.folder / "away")
    machine.sync.sync()
    assert machine.events == []
    away.rename(machine.app.bare)
    eventually(lambda: machine.sync.sync() or machine.phases() == ["started", "succeeded"], "it is tried again")


def test_values_for_another_app_are_not_run(machine: Machine, warned: list[EventDict]) -> None:
    machine.say(APP, repository="bob/app")
    machine.sync.sync()
    assert machine.events == []
    assert "is for another app than ann/app" in str(warned[0]["error"])


def test_pipelines_do_not_see_our_settings(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPPCTL_WEBHOOK_SECRETS", "hush")
    check = FLOW.replace(
        "def flow(*_):", 'def flow(*_):\n        import os\n        assert "hush" not in str(os.environ)'
    )
    machine.say({**APP, "rows.py": check})
    machine.sync.sync()
    assert machine.phases()[-1] == "succeeded"
