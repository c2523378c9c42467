"""The end of a run on a cluster: data that is not as expected leaves what was there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.model.receipt import PipelineResult, Receipt, ResourceResult
from bot.model.values import Compared, ComparedResource
from cluster.limits import MAX_VIOLATION_BYTES
from cluster.next_database import finish as module
from cluster.next_database.begin import NotKeptError
from cluster.next_database.finish import (
    ExpectationsFile,
    FinishedRun,
    UnexpectedDataError,
    check_expected,
    finish,
    go_back,
)
from cluster.sync.helm.pod_status import AS_EXPECTED, UNEXPECTED
from tests.support.environment import REPOSITORY
from tests.support.next_database import EnvironmentDatabase, receipt_of

DROP = ExpectationsFile.model_validate({"expect": [{"maxDropPercent": 20}]})


def finished(run: str, rows: int, *, is_scheduled: bool = False) -> FinishedRun:
    return FinishedRun(run, f"job-{run}", receipt_of(rows), is_scheduled)


def deploy(database: EnvironmentDatabase, run: FinishedRun, expected: ExpectationsFile, *numbers: int) -> list[str]:
    database.begin(run.run)
    database.work(*numbers)
    return finish(database.url, run, expected)


def test_what_is_not_as_expected_is_not_taken_and_the_next_run_need_not_wait(database: EnvironmentDatabase) -> None:
    deploy(database, finished("one", 10), DROP, 1)
    line = r"^numbers: 5 rows, 50 % fewer than the 10 before; maxDropPercent is 20$"
    with pytest.raises(UnexpectedDataError, match=line):
        deploy(database, finished("two", 5), DROP, 2)
    assert database.numbers() == [1]
    assert database.numbers("pipelines_next") == [2]  # to look at
    deploy(database, finished("three", 9), DROP, 3)
    assert database.numbers() == [3]


def test_somebody_takes_it_for_the_deployment_and_not_for_the_runs_by_the_clock_after_it(
    database: EnvironmentDatabase,
) -> None:
    accepting = DROP.model_copy(update={"accept": True})
    deploy(database, finished("one", 10), DROP, 1)
    taken = deploy(database, finished("two", 5), accepting, 2)
    assert taken == ["numbers: 5 rows, 50 % fewer than the 10 before; maxDropPercent is 20"]
    assert database.numbers() == [2]
    with pytest.raises(UnexpectedDataError, match="1 row, 80 % fewer than the 5 before"):
        deploy(database, finished("clock", 1, is_scheduled=True), accepting, 3)
    assert database.numbers() == [2]


def test_a_run_by_the_clock_is_noted_with_what_other_pipelines_left(database: EnvironmentDatabase) -> None:
    other = PipelineResult(id="./other", status="succeeded", rows=7, resources=(ResourceResult(name="o", rows=7),))
    both = receipt_of(1)
    both = both.model_copy(update={"pipelines": (*both.pipelines, other)})
    deploy(database, FinishedRun("one", "job-one", both, False), ExpectationsFile(), 1)
    deploy(database, finished("clock", 2, is_scheduled=True), ExpectationsFile(), 1, 2)
    made = database.observe().by_name["pipelines"].made
    assert made
    assert (made.run, made.job) == ("clock", "job-one")  # it is no deployment of its own
    assert {found.id: found.rows for found in made.receipt.pipelines} == {"./load": 2, "./other": 7}


def test_a_job_that_runs_again_goes_back_to_what_it_left(database: EnvironmentDatabase) -> None:
    deploy(database, finished("one", 10), ExpectationsFile(), 1)
    deploy(database, finished("two", 20), ExpectationsFile(), 2)
    deploy(database, finished("clock", 30, is_scheduled=True), ExpectationsFile(), 3)
    for job in ("job-clock", "job-two", "job-three"):  # what is current, what it replaced, and what is not there
        assert database.begin_kept("three", job) is None
        database.give_back("three")
    assert database.begin_kept("four", "job-one") == receipt_of(10)
    go_back(database.url, "four", "job-one")
    assert database.numbers() == [1]
    assert set(database.observe().by_name) == {"pipelines", "pipelines_previous"}
    # Forward again, to what the clock made of it.
    assert database.begin_kept("five", "job-two", restores=True) == receipt_of(30)
    go_back(database.url, "five", "job-two")
    assert database.numbers() == [3]


def test_where_what_is_wanted_back_is_gone_nothing_begins(database: EnvironmentDatabase) -> None:
    for run, number in (("one", 1), ("two", 2), ("three", 3)):
        deploy(database, finished(run, number), ExpectationsFile(), number)
    with pytest.raises(NotKeptError, match="not kept any more; nothing ran, and nothing changed"):
        database.begin_kept("four", "job-one", restores=True)
    assert set(database.observe().by_name) == {"pipelines", "pipelines_previous"}
    assert database.numbers() == [3]
    assert database.begin_kept("five", "job-one") is None  # without that wish it runs
    database.give_back("five")
    assert database.begin_kept("six", "job-three", restores=True) == receipt_of(3)  # it is there already
    go_back(database.url, "six", "job-three")
    assert database.numbers() == [3]


def test_a_violation_names_the_deployment_whose_data_there_was(database: EnvironmentDatabase) -> None:
    deploy(database, finished("one", 10), DROP.model_copy(update={"deployment": 41}), 1)
    deploy(database, finished("clock", 9, is_scheduled=True), DROP.model_copy(update={"deployment": 42}), 2)
    line = r"^numbers: 5 rows, 44 % fewer than the 9 of deployment 41; maxDropPercent is 20$"
    with pytest.raises(UnexpectedDataError, match=line):
        deploy(database, finished("two", 5), DROP.model_copy(update={"deployment": 42}), 3)


def test_without_a_database_it_is_compared_with_what_sync_knows() -> None:
    before = Compared(environment="this", resources=(ComparedResource(pipeline="./load", name="numbers", rows=10),))
    check_expected(finished("one", 5), DROP, receipt_of(5), None)
    with pytest.raises(UnexpectedDataError, match="numbers: 5 rows, 50 % fewer"):
        check_expected(finished("one", 5), DROP, receipt_of(5), before)


def run_program(folder: Path, receipt: Receipt | None, expected: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run it as the chart's container does, without a database."""
    if receipt:
        (folder / "receipt.json").write_text(receipt.model_dump_json())
    (folder / "expectations.json").write_text(json.dumps(expected))
    command = [sys.executable, "-m", module.__name__, "--run=one", "--job=job-one"]
    command += [f"--{name}={folder / name}.json" for name in ("receipt", "expectations")]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_program_says_what_is_wrong_and_ends_as_sync_knows_it(tmp_path: Path) -> None:
    fine = run_program(tmp_path, receipt_of(5), {"expect": [{"minRows": 5}]})
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    wrong = run_program(tmp_path, receipt_of(5), {"expect": [{"minRows": 6}, {"resource": "x", "minRows": 1}]})
    assert wrong.returncode == UNEXPECTED
    first, second = wrong.stdout.splitlines()
    assert first == "numbers: 5 rows; minRows is 6"
    assert second.startswith(".dppctl.yaml, expect: no resource is x")


def test_what_somebody_takes_is_the_containers_message_too(tmp_path: Path) -> None:
    for least, said in ((6, "numbers: 5 rows; minRows is 6"), (5, AS_EXPECTED)):
        taken = run_program(tmp_path, receipt_of(5), {"expect": [{"minRows": least}], "accept": True})
        assert (taken.returncode, taken.stdout, taken.stderr) == (0, f"{said}\n", "")


def test_the_program_says_in_a_line_what_it_cannot_read(tmp_path: Path) -> None:
    gone = run_program(tmp_path, None, {})
    assert (gone.returncode, gone.stderr) == (1, f"{tmp_path}/receipt.json: No such file or directory\n")
    odd = run_program(tmp_path, receipt_of(1), {"expect": [{"maxDropPercent": 300}]})
    assert odd.returncode == 1
    assert "maxDropPercent" in odd.stderr
    assert "Traceback" not in odd.stderr


def test_as_many_lines_as_fit_are_the_containers_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.setattr(module, "TERMINATION_LOG", log)
    lines = [f"resource-{number}: {'ä' * 40}; minRows is 1" for number in range(100)]
    module._leave("\n".join(lines))
    shown = log.read_text().splitlines()
    assert log.stat().st_size <= MAX_VIOLATION_BYTES
    assert shown[:-1] == lines[: len(shown) - 1]
    assert shown[-1] == f"and {101 - len(shown)} more; the log of this container has all"
    module._leave("ä" * 2000)
    assert set(log.read_text()) == {"ä"}
