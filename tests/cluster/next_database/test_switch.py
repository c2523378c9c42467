"""The switch to a run's database: whole or not at all, whoever is connected and whenever it is killed."""

import threading

import psycopg
import pytest

from cluster.next_database.databases import DatabaseError
from tests.support.next_database import EnvironmentDatabase, receipt_of


def test_what_a_run_wrote_is_what_people_read_after_the_switch_and_not_before(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.begin("two")
    database.work(1, 2)
    assert database.numbers() == [1]
    database.switch("two", rows=2)
    assert database.numbers() == [1, 2]
    found = database.observe().by_name
    made, before = found["pipelines"].made, found["pipelines_previous"].made
    assert made
    assert (made.run, made.job, made.receipt) == ("two", "job-two", receipt_of(2))
    assert before
    assert before.run == "one"
    assert set(found) == {"pipelines", "pipelines_previous"}


def test_nobody_connects_to_what_was_before(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.deploy("two", 2)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        database.numbers("pipelines_previous")


def test_people_who_read_lose_their_connection_and_find_the_new_data(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.begin("two")
    database.work(1, 2)
    ended = threading.Event()
    seen: set[tuple[int, ...]] = set()
    others: list[str] = []

    def read_again_and_again() -> None:
        while not ended.is_set():
            try:
                with psycopg.connect(database.url, autocommit=True) as connection:
                    while not ended.is_set():
                        seen.add(tuple(number for (number,) in connection.execute("SELECT number FROM numbers")))
            except psycopg.OperationalError:
                continue
            except psycopg.Error as error:
                others.append(str(error))
                return

    readers = [threading.Thread(target=read_again_and_again) for _ in range(8)]
    for reader in readers:
        reader.start()
    try:
        database.switch("two")
        assert database.numbers() == [1, 2]
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert seen <= {(1,), (1, 2)}
    assert not others


def test_a_switch_that_is_killed_at_any_statement_leaves_the_old_or_the_new_whole(
    database: EnvironmentDatabase,
) -> None:
    database.deploy("zero", 0)
    database.deploy("one", 1)
    before, step = [1], 0
    while True:
        run, after = f"run-{step}", [*before, step + 2]
        database.begin(run)
        database.work(*after)
        killed = database.do_killed(step, "switch", run)
        assert database.numbers() in (before, after)
        names = set(database.observe().by_name)
        assert {"pipelines", "pipelines_previous"} <= names or "pipelines_dropped" in names
        database.give_back(run)
        database.begin(f"again-{step}")  # a second try, as of the Job's next pod
        database.work(*after)
        database.switch(f"again-{step}")
        assert database.numbers() == after
        assert set(database.observe().by_name) == {"pipelines", "pipelines_previous"}
        if not killed:
            break
        before, step = after, step + 1
    assert step > 8  # the lock, three questions, the comment, three renames and two that remove


def test_a_switch_that_is_done_once_more_does_nothing(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.deploy("two", 2)
    database.switch("two")
    assert database.numbers() == [2]
    assert database.switch_back("job-one").run == "one"


def test_a_run_by_the_clock_leaves_what_the_deployment_before_left(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.deploy("two", 2)
    database.deploy("clock", 3, keeps_previous=True)
    assert database.numbers() == [3]
    database.switch_back("job-one")
    assert database.numbers() == [1]


def test_a_run_whose_copy_is_not_of_what_is_current_any_more_changes_nothing(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.begin("two")
    database.work(2)
    database.sql("ALTER DATABASE pipelines RENAME TO away", "postgres")
    database.sql("CREATE DATABASE pipelines", "postgres")
    database.sql("CREATE TABLE numbers AS SELECT 7 AS number")
    with pytest.raises(DatabaseError, match="was replaced by another while this ran"):
        database.switch("two")
    assert database.numbers() == [7]


def test_a_run_that_lost_its_turn_changes_nothing(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.begin("two")
    database.sql("COMMENT ON DATABASE pipelines_next IS ''", "postgres")
    database.begin("three")
    with pytest.raises(DatabaseError, match=r"another run \(pod three\) took the turn"):
        database.switch("two")
    assert database.numbers() == [1]


def test_going_back_and_forth_runs_nothing(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.deploy("two", 2)
    database.switch_back("job-one")
    assert database.numbers() == [1]
    database.switch_back("job-one")
    assert database.numbers() == [1]
    database.switch_back("job-two")
    assert database.numbers() == [2]
    with pytest.raises(DatabaseError, match="is not kept any more"):
        database.switch_back("job-three")


def test_going_back_that_is_killed_at_any_statement_leaves_one_or_the_other(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    database.deploy("two", 2)
    there, other, step = (2, "two"), (1, "one"), 0
    while True:
        killed = database.do_killed(step, "switch_back", f"job-{other[1]}")
        assert database.numbers() in ([there[0]], [other[0]])
        database.switch_back(f"job-{other[1]}")
        assert database.numbers() == [other[0]]
        if not killed:
            break
        there, other, step = other, there, step + 1
    assert step > 8
