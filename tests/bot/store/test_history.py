"""The runs of an environment, and what data it has now, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest

from bot.limits import HISTORY_RUNS
from bot.model.receipt import Receipt
from bot.store.history import ResourceKey
from bot.store.store import Store
from tests.support.reports import NOW, event

PLACE = ("ann/app", "staging")


def receipt(minute: int, *, status: str = "succeeded", **rows: int) -> Receipt:
    """Return the receipt of a run of some pipelines, each with one resource, that ended at a minute."""
    pipelines = [
        {
            "id": f"./{name}", "status": status, "rows": count, "bytes": count * 10, "hash": f"{count:x}",
            "seconds": 2.5, "resources": [{"name": name, "rows": count, "fields": [{"name": "id", "type": "integer"}]}],
            "error": "zones.py:33: no rows\nzones" if status == "failed" else None,
        }
        for name, count in rows.items()
    ]  # fmt: skip
    ended = NOW + timedelta(minutes=minute)
    return Receipt.model_validate(
        {"status": status, "pipelines": pipelines, "started": ended - timedelta(seconds=20), "ended": ended}
    )


def test_each_run_is_there_with_its_rows_bytes_and_seconds(store: Store) -> None:
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3, parks=4)))
    store.deployments.report(event("failed", "b", message="no rows", receipt=receipt(2, status="failed", zones=1)))
    store.deployments.report(event("scheduled", "a", receipt=receipt(3, zones=5)))
    runs = store.history.runs(*PLACE)
    assert [(run.status, run.is_scheduled, run.rows, run.bytes, run.seconds) for run in runs] == [
        ("succeeded", True, 5, 50, 20.0),
        ("failed", False, 1, 10, 20.0),
        ("succeeded", False, 7, 70, 20.0),
    ]
    assert runs[1].summary == "no rows"
    assert [deployment.counted_rows for deployment in store.deployments.newest()] == [1, 7]
    assert [run.id for run in store.history.runs(*PLACE, limit=1)] == [runs[0].id]
    assert store.history.runs("ann/app", "production") == []


def test_a_series_is_oldest_first_by_pipeline_and_resource(store: Store) -> None:
    for minute, (name, rows) in enumerate([("a", 3), ("b", 4)]):
        store.deployments.report(event("succeeded", name, receipt=receipt(minute, zones=rows)))
    found = store.history.series(*PLACE)
    assert {key: [point.rows for point in points] for key, points in found.items()} == {
        ResourceKey("./zones"): [3, 4],
        ResourceKey("./zones", "zones"): [3, 4],
    }
    assert [point.seconds for point in found[ResourceKey("./zones")]] == [2.5, 2.5]
    assert [*store.history.series(*PLACE, pipeline="./zones", resource="zones")] == [ResourceKey("./zones", "zones")]
    assert len(store.history.series(*PLACE, limit=1)[ResourceKey("./zones")]) == 1


def test_what_arrives_twice_is_recorded_once(store: Store) -> None:
    for _ in range(2):
        store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3)))
        store.deployments.report(event("scheduled", "a", message="by the clock", receipt=receipt(2, zones=4), log="x"))
    (deployment,) = store.deployments.newest()
    assert [run.rows for run in store.history.runs(*PLACE)] == [4, 3]
    full = store.deployments.get(deployment.id)
    assert full
    assert [found.phase for found in full.events] == ["succeeded", "scheduled"]
    assert store.deployments.log(deployment.id) == "x"


def test_a_run_by_the_clock_replaces_its_own_pipelines(store: Store) -> None:
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3, parks=4)))
    store.deployments.report(event("scheduled", "a", receipt=receipt(2, zones=5)))
    store.deployments.report(event("scheduled", "a", receipt=receipt(3, status="failed", parks=0)))
    current = store.history.current(*PLACE)
    assert current
    assert {found["id"]: found["rows"] for found in current.receipt["pipelines"]} == {"./zones": 5, "./parks": 4}
    assert store.history.resources(*PLACE) == [
        ResourceKey("./zones"),
        ResourceKey("./zones", "zones"),
        ResourceKey("./parks"),
        ResourceKey("./parks", "parks"),
    ]
    (run, *_) = store.history.runs(*PLACE)
    assert (run.status, run.summary) == ("failed", "zones.py:33: no rows")


def test_what_failed_or_comes_late_leaves_what_is_current(store: Store) -> None:
    assert store.history.current(*PLACE) is None
    store.deployments.report(event("started", "a"))
    store.deployments.report(event("succeeded", "b", receipt=receipt(2, zones=4)))
    store.deployments.report(event("failed", "c", receipt=receipt(3, zones=1)))
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3)))  # it ran before b
    store.deployments.report(event("scheduled", "a", receipt=receipt(4, zones=9)))
    current = store.history.current(*PLACE)
    assert current
    assert current.receipt["pipelines"][0]["rows"] == 4
    assert len(store.history.runs(*PLACE)) == 4


def test_what_changed_is_stored_with_each_that_succeeded(store: Store) -> None:
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3)))
    store.deployments.report(event("failed", "b", receipt=receipt(2, zones=1)))
    store.deployments.report(event("succeeded", "c", receipt=receipt(3, zones=1_005)))
    newest, failed, first = (store.deployments.get(found.id) for found in store.deployments.newest())
    assert newest
    assert failed
    assert first
    assert first.summary == "3 rows in 1 table, the first"
    assert (failed.summary, failed.change) == (None, None)
    assert newest.summary == "1,005 rows (+1,002) in 1 table"
    assert (newest.change or {})["before"] == first.id
    assert store.history.runs(*PLACE)[0].summary == newest.summary


def test_going_back_makes_the_data_of_then_current_and_is_no_run(store: Store) -> None:
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3, parks=4)))
    store.deployments.report(event("scheduled", "a", receipt=receipt(2, zones=5)))
    store.deployments.report(event("succeeded", "b", receipt=receipt(3, zones=8, parks=8)))
    store.deployments.record_commit("c" * 40, *PLACE, "refs/heads/master", "c" * 40, origin="a" * 40)
    store.deployments.report(event("succeeded", "c", receipt=receipt(1, zones=3, parks=4)))
    current = store.history.current(*PLACE)
    back = store.deployments.newest()[0]
    assert current
    assert current.deployment_id == back.id
    assert {found["id"]: found["rows"] for found in current.receipt["pipelines"]} == {"./zones": 5, "./parks": 4}
    assert back.summary == "9 rows (-7) in 2 tables"
    assert [run.rows for run in store.history.runs(*PLACE)] == [16, 5, 7]


def test_old_runs_by_the_clock_go_and_what_they_left_is_still_known(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.run_records.MAX_SCHEDULED_EVENTS", 3)
    store.deployments.report(event("succeeded", "a", receipt=receipt(1, zones=3, parks=4)))
    store.deployments.report(event("scheduled", "a", message="seldom", receipt=receipt(2, parks=7)))
    for minute in range(3, 9):
        status = "failed" if minute in (5, 8) else "succeeded"
        store.deployments.report(
            event("scheduled", "a", message=f"{minute}", receipt=receipt(minute, status=status, zones=minute))
        )
    full = store.deployments.get(1)
    assert full
    assert [step.message for step in full.events if step.phase == "scheduled"] == ["6", "7", "8"]
    store.deployments.report(event("succeeded", "b", receipt=receipt(9, zones=8, parks=8)))
    store.deployments.record_commit("c" * 40, *PLACE, "refs/heads/master", "c" * 40, origin="a" * 40)
    store.deployments.report(event("succeeded", "c", receipt=receipt(1, zones=3, parks=4)))
    current = store.history.current(*PLACE)
    assert current
    assert {found["id"]: found["rows"] for found in current.receipt["pipelines"]} == {"./zones": 7, "./parks": 7}


def test_runs_beyond_what_is_kept_go_with_their_results(store: Store) -> None:
    for minute in range(HISTORY_RUNS + 5):
        store.deployments.report(event("scheduled", "a", receipt=receipt(minute, zones=minute)))
    assert store.history.forget(NOW - timedelta(days=1)) == 5
    assert store.history.forget(NOW - timedelta(days=1)) == 0
    runs = store.history.runs(*PLACE, limit=HISTORY_RUNS + 5)
    assert (len(runs), runs[-1].rows) == (HISTORY_RUNS, 5)
    assert store.history.forget(NOW + timedelta(minutes=10)) == 5
    assert len(store.history.series(*PLACE)[ResourceKey("./zones")]) == HISTORY_RUNS - 5
