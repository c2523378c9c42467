"""Data that is not as expected is not taken: the environment keeps what it had, by the clock too."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.model.expectations import Expectation
from bot.model.reports import SyncEvent
from bot.model.values import Pipeline
from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.forge import APP
from tests.support.stories.machine import Machine

HOURLY = Pipeline(id="./one", schedule="0 * * * *")
EXPECTED = [
    Expectation.model_validate({"maxDropPercent": 20, "columns": "keep", "line": 2}),
    Expectation.model_validate({"resource": "numbers", "minRows": 1, "notNull": ["number"], "unique": ["number"]}),
]
DEPLOYMENT = 41  # the number that the receiver answers with


@dataclass(frozen=True)
class Step:
    """What a run of some rows left."""

    event: SyncEvent
    numbers: int

    @property
    def lines(self) -> list[str]:
        return self.event.message.splitlines()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, runtime: DppEnvironment) -> dict[str, Step]:
    with closing(Machine(tmp_path_factory.mktemp("story"), runtime)) as machine:
        return tell(machine)


def tell(machine: Machine) -> dict[str, Step]:
    """Deploy and run by the clock, each time with another number of rows; return what was there after each step."""
    count, steps = machine.folder / "count", dict[str, Step]()
    flow = APP["rows.py"].replace("range(3)", f"range(int(open({str(count)!r}).read()))")
    machine.start(report=lambda event: machine.events.append(event) or DEPLOYMENT)

    def run(name: str, rows: int) -> None:
        count.write_text(str(rows))
        machine.sync.sync()
        steps[name] = Step(machine.events[-1], len(machine.numbers()))

    def deploy(name: str, rows: int, *expected: Expectation, change: str = "", accepts: str = "") -> None:
        commit = machine.app.push({**APP, "rows.py": flow, "file": name} | ({"rows.py": change} if change else {}))
        machine.say_expected(commit, expected or EXPECTED, HOURLY, accepts=accepts)
        run(name, rows)

    def wait(name: str, rows: int) -> None:
        machine.sync.sync()  # what is deployed has its schedule
        machine.now += timedelta(hours=1)
        run(name, rows)

    deploy("first", 10)
    deploy("fewer", 5)
    deploy("accepted", 5, accepts="a smaller list")
    deploy("fewer again", 2)
    deploy("as many", 5)
    wait("fewer by the clock", 3)
    wait("more by the clock", 8)
    deploy("fewer than by the clock", 6)
    twice = flow.replace('{"number": n}', '{"number": n // 2}')
    deploy("repeated", 8, change=twice)
    deploy("renamed", 8, change=flow.replace('"number"', '"count"'))
    deploy("missing", 8, Expectation.model_validate({"resource": "nambers", "minRows": 1, "line": 3}))
    deploy("accepted for nothing", 8, accepts="to be sure")
    first = steps["first"].event
    machine.say_expected(first.commit, EXPECTED, HOURLY, restores=first.ops_commit)
    run("gone back", 1)
    deploy("fewer than gone back to", 7)
    return steps


def test_the_first_data_is_compared_with_nothing(story: dict[str, Step]) -> None:
    first = story["first"]
    assert (first.event.phase, first.event.message, first.numbers) == ("succeeded", "10 rows", 10)


def test_too_few_rows_fail_the_deployment_and_the_environment_keeps_its_data(story: dict[str, Step]) -> None:
    fewer, commit = story["fewer"], story["first"].event.commit
    assert (fewer.event.phase, fewer.numbers) == ("failed", 10)
    assert fewer.lines == [
        "numbers: 5 rows, 50 % fewer than the 10 of deployment 41; maxDropPercent is 20",
        f"staging stays as it was, on master ({commit[:12]})",
        'to take this data as it is, once: dppctl deploy ann/app staging --accept-change "WHY"',
    ]
    assert fewer.event.receipt
    assert (fewer.event.receipt.status, fewer.event.receipt.rows) == ("failed", 5)


def test_a_change_that_somebody_accepts_is_taken_and_says_who_did_and_what_was_not_met(story: dict[str, Step]) -> None:
    accepted = story["accepted"]
    assert (accepted.event.phase, accepted.numbers) == ("succeeded", 5)
    assert accepted.event.message == (
        "5 rows; accepted by local:ann: a smaller list, "
        "though numbers: 5 rows, 50 % fewer than the 10 of deployment 41; maxDropPercent is 20"
    )


def test_what_is_accepted_is_one_change_and_the_next_push_is_checked_again(story: dict[str, Step]) -> None:
    again = story["fewer again"]
    assert (again.event.phase, again.numbers) == ("failed", 5)
    assert again.lines[0].startswith("numbers: 2 rows, 60 % fewer than the 5 of deployment 41")
    assert (story["as many"].event.phase, story["as many"].numbers) == ("succeeded", 5)


def test_a_run_by_the_clock_that_is_not_as_expected_leaves_the_data(story: dict[str, Step]) -> None:
    fewer = story["fewer by the clock"]
    assert (fewer.event.phase, fewer.numbers) == ("scheduled", 5)
    assert fewer.lines[0] == (
        "./one failed by schedule: numbers: 3 rows, 40 % fewer than the 5 of deployment 41; maxDropPercent is 20"
    )
    assert fewer.lines[1].startswith("staging stays as it was, on master (")
    assert fewer.event.receipt
    assert fewer.event.receipt.status == "failed"


def test_what_ran_by_the_clock_is_what_the_next_data_is_compared_with(story: dict[str, Step]) -> None:
    assert (story["more by the clock"].event.phase, story["more by the clock"].numbers) == ("scheduled", 8)
    fewer = story["fewer than by the clock"]
    assert (fewer.event.phase, fewer.numbers) == ("failed", 8)
    assert fewer.lines[0].startswith("numbers: 6 rows, 25 % fewer than the 8 of deployment 41")


def test_after_going_back_the_data_of_then_is_what_is_compared_with(story: dict[str, Step]) -> None:
    assert (story["gone back"].event.phase, story["gone back"].numbers) == ("succeeded", 10)
    fewer = story["fewer than gone back to"]
    assert (fewer.event.phase, fewer.numbers) == ("failed", 10)
    assert fewer.lines[0].startswith("numbers: 7 rows, 30 % fewer than the 10 of deployment 41")


def test_rows_that_repeat_a_column_are_found_by_the_worker(story: dict[str, Step]) -> None:
    repeated = story["repeated"]
    assert (repeated.event.phase, repeated.numbers) == ("failed", 8)
    assert repeated.lines[0] == "numbers: 4 rows repeat the number of another row; unique is number"


def test_all_that_is_not_met_is_said_a_line_each(story: dict[str, Step]) -> None:
    renamed = story["renamed"]
    assert renamed.event.phase == "failed"
    assert renamed.lines[0] == "numbers: column number gone, compared with deployment 41; columns is keep (and 2 more)"
    assert renamed.lines[2:4] == [
        "numbers: no column is number, which notNull has; there is count",
        "numbers: no column is number, which unique has; there is count",
    ]


def test_an_expectation_of_a_resource_that_is_not_there_names_its_line_and_what_is_there(
    story: dict[str, Step],
) -> None:
    assert story["missing"].event.phase == "failed"
    assert story["missing"].lines[0] == (
        ".dppctl.yaml:3: no resource is nambers; there is numbers; did you mean numbers?"
    )


def test_accepting_where_all_is_as_expected_says_so(story: dict[str, Step]) -> None:
    assert story["accepted for nothing"].event.message == (
        "8 rows; the change was accepted by local:ann: to be sure, though all was as expected"
    )
