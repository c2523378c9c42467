"""Some ninety pipelines over all standard processors: the runner's answers are dpp's own, in tables, files and errors.

dpp's answers are kept in answers.json, because it takes minutes to give them: `python -m tests.worker.runner.matrix`
asks it again. A few are asked for in each run.
"""

from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.worker.runner.matrix.answers import Answer, known
from tests.worker.runner.matrix.pipelines import PIPELINES
from tests.worker.runner.matrix.run import run

ASKED_AGAIN = ["custom-drops", "fails-bad-number", "types-old-dumper"]


@pytest.fixture(scope="module")
def by_runner(zipapp: Path, runtime: DppEnvironment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    return run(zipapp, runtime, tmp_path_factory.mktemp("matrix"), "auto")


def test_dpps_answers_are_of_these_pipelines() -> None:
    assert set(known()) == {*PIPELINES, "files", "tables"}
    assert len(PIPELINES) >= 60


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_gives_what_dpp_gives(by_runner: dict[str, Answer], name: str) -> None:
    assert by_runner[name] == known()[name]


def test_all_files_are_dpps_byte_for_byte(by_runner: dict[str, Answer]) -> None:
    assert by_runner["files"] == known()["files"]


def test_all_tables_are_dpps(by_runner: dict[str, Answer]) -> None:
    assert by_runner["tables"] == known()["tables"]


def test_what_is_kept_is_what_dpp_says_now(zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> None:
    found = run(zipapp, runtime, tmp_path, "dpp", ASKED_AGAIN)
    assert {name: found[name] for name in ASKED_AGAIN} == {name: known()[name] for name in ASKED_AGAIN}
