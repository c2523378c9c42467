"""Deployments, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.limits import MAX_LOG_BYTES
from bot.model.decisions import Ref, Refusal, Skip
from bot.model.names import RepoPath
from bot.store.store import Store
from tests.support.reports import NOW, event, receipt, update


def states(store: Store) -> list[str]:
    return [one.state for one in reversed(store.deployments.newest())]


def test_a_deployments_life_is_kept_with_its_receipt(store: Store) -> None:
    number = store.deployments.record(update(), "a" * 40)
    assert store.deployments.record(update(), "a" * 40) == number
    store.deployments.report(event("started"))
    store.deployments.report(event("succeeded", receipt=receipt(3)))
    deployment = store.deployments.get(number)
    assert deployment
    assert (deployment.state, deployment.rows, deployment.changed) == ("succeeded", 3, NOW)
    assert [one.phase for one in deployment.events] == ["committed", "started", "succeeded"]


def test_the_last_commit_of_the_bot_is_none_that_sync_alone_reports_on(store: Store) -> None:
    assert store.deployments.last_written("ann/app", "staging") is None
    store.deployments.record(update(), "a" * 40)
    store.deployments.report(event("succeeded", "b"))
    assert (store.deployments.last_written("ann/app", "staging") or "")[0] == "a" * 40
    assert store.deployments.last_written("ann/app", "production") is None
    store.deployments.record(update(), "c" * 40)
    assert (store.deployments.last_written("ann/app", "staging") or "")[0] == "c" * 40


def test_what_failed_has_no_rows_that_were_delivered(store: Store) -> None:
    store.deployments.report(event("failed", message="why", receipt=receipt(3)))
    (listed,) = store.deployments.newest()
    deployment = store.deployments.get(listed.id)
    assert deployment
    assert (deployment.rows, deployment.counted_rows) == (None, 3)
    assert deployment.receipt
    assert deployment.receipt["pipelines"][0]["rows"] == 3


def test_progress_that_only_brings_lines_of_the_log_is_no_event(store: Store) -> None:
    for message in ("", "./one: 100 rows", ""):
        store.deployments.report(event("progress", message=message, log="line\n"))
    (deployment,) = store.deployments.newest()
    full = store.deployments.get(deployment.id)
    assert full
    assert [one.message for one in full.events] == ["./one: 100 rows"]
    assert (full.state, store.deployments.log(full.id)) == ("running", "line\n" * 3)


def test_an_end_stays_the_end_whatever_arrives_late_or_twice(store: Store) -> None:
    for phase in ("started", "failed", "failed", "progress", "superseded"):
        store.deployments.report(event(phase, message=phase))
    (deployment,) = store.deployments.newest()
    assert (deployment.state, deployment.error) == ("failed", "failed")


def test_a_newer_deployment_supersedes_what_is_open_and_nothing_else(store: Store) -> None:
    store.deployments.report(event("succeeded", "a"))
    store.deployments.report(event("queued", "b"))
    store.deployments.report(event("started", "c"))
    store.deployments.report(event("started", "d", environment="production"))
    store.deployments.record(update(), "e" * 40)
    assert states(store) == ["succeeded", "superseded", "superseded", "running", "waiting"]
    store.deployments.report(event("progress", "c"))
    store.deployments.report(event("superseded", "c"))
    assert states(store)[2] == "superseded"
    store.deployments.report(event("succeeded", "b", receipt=receipt(1)))  # it ran on before it could be stopped
    assert states(store)[1] == "succeeded"


def test_a_scheduled_run_is_an_event_that_changes_no_state(store: Store) -> None:
    store.deployments.report(event("failed", message="why"))
    store.deployments.report(event("scheduled", message="./one: 5 rows", receipt=receipt(5)))
    (deployment,) = store.deployments.newest()
    assert (deployment.state, deployment.error) == ("failed", "why")
    full = store.deployments.get(deployment.id)
    assert full
    assert [one.phase for one in full.events][-1] == "scheduled"


def test_of_progress_the_newest_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.deployment_changes.MAX_PROGRESS_EVENTS", 3)
    store.deployments.report(event("started"))
    for rows in range(10):
        store.deployments.report(event("progress", message=f"./one: {rows} rows"))
    full = store.deployments.get(1)
    assert full
    assert [one.message for one in full.events if one.phase == "progress"] == [f"./one: {n} rows" for n in (7, 8, 9)]
    assert full.events[0].phase == "started"


def test_many_threads_telling_of_one_deployment_make_one(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store.deployments.report, [event("progress", "b", "1 row") for _ in range(24)]))
    (deployment,) = store.deployments.newest()
    full = store.deployments.get(deployment.id)
    assert full
    assert len(full.events) == 24


def test_the_same_refusal_or_skip_is_remembered_once(store: Store) -> None:
    ref = Ref("refs/heads/x", "c" * 40)
    for _ in range(2):
        store.deployments.refuse(Refusal(RepoPath("ann/app"), "", ref, "no"))
        store.deployments.skip(Skip(RepoPath("ann/app"), "staging", ref, "held"))
    assert [(one.state, one.error) for one in store.deployments.newest()] == [("skipped", "held"), ("refused", "no")]


def test_a_log_keeps_its_newest_part_and_says_so(store: Store) -> None:
    number = store.deployments.record(update(), "a" * 40)
    store.deployments.report(event("progress", log="first\n"))
    store.deployments.append_log(number, "second\n")
    assert store.deployments.log(number) == "first\nsecond\n"
    for _ in range(3):
        store.deployments.append_log(number, "x" * (MAX_LOG_BYTES // 2 - 1) + "\n")
    kept = store.deployments.log(number)
    assert kept.startswith("(the first ")
    assert len(kept) <= MAX_LOG_BYTES + 60
    store.deployments.append_log(number + 1, "x")


def test_what_is_where_is_the_newest_and_the_newest_that_succeeded(store: Store) -> None:
    store.deployments.report(event("succeeded", "a"))
    store.deployments.report(event("failed", "b"))
    store.holds.set("ann/app", "production", "until monday")
    production, staging = store.deployments.environments()
    assert (production.newest, production.hold and production.hold.reason) == (None, "until monday")
    assert staging.newest
    assert staging.running
    assert (staging.newest.ops_commit, staging.running.ops_commit) == ("b" * 40, "a" * 40)


def test_deployments_can_be_asked_for_by_app_and_environment(store: Store) -> None:
    store.deployments.report(event("started", "a"))
    store.deployments.report(event("started", "b", environment="production"))
    assert [one.environment for one in store.deployments.newest(app="ann/app", environment="staging")] == ["staging"]
    assert store.deployments.newest(app="bob/app") == []
    assert len(store.deployments.newest(limit=1)) == 1
    assert store.deployments.get(999) is None
