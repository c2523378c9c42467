"""Some ninety pipelines over all standard processors: the runner's answers are dpp's own, in tables, files and errors.

dpp's answers are kept in answers.json, because it takes minutes to give them: `python -m tests.worker.runner.matrix`
asks it again. A few are asked for in each run.
"""

from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.postgres import new_database
from tests.worker.runner.matrix.answers import Answer, known
from tests.worker.runner.matrix.pipelines import OF_POSTGRESQL, PIPELINES
from tests.worker.runner.matrix.run import run

ASKED_AGAIN = ["types-old-dumper"]


def assert_same(found: dict[str, Answer], expected: dict[str, Answer]) -> None:
    """Assert that the answers are the same, and name those that are not."""
    different = {
        name: {key: (found[name].get(key), expected[name].get(key)) for key in {*found[name], *expected[name]}}
        for name in expected
        if found[name] != expected[name]
    }
    only = {name: {key: pair for key, pair in pairs.items() if pair[0] != pair[1]} for name, pairs in different.items()}
    assert only == {}, "(of the runner, of dpp)"


def test_the_runner_gives_what_dpp_gives(zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> None:
    expected = known()
    del expected["postgresql"]
    assert set(expected) == {*PIPELINES, "files", "tables"}
    assert len(PIPELINES) >= 60
    assert_same(run(zipapp, runtime, tmp_path / "matrix", "auto"), expected)


@pytest.mark.needs("PostgreSQL")
def test_the_tables_in_postgresql_are_dpps(zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> None:
    with new_database(tmp_path) as database:
        found = run(zipapp, runtime, tmp_path / "matrix", "auto", OF_POSTGRESQL, database)
    assert_same(found, known()["postgresql"])


def test_what_is_kept_is_what_dpp_says_now(zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> None:
    found = run(zipapp, runtime, tmp_path / "matrix", "dpp", ASKED_AGAIN)
    assert_same({name: found[name] for name in ASKED_AGAIN}, {name: known()[name] for name in ASKED_AGAIN})
