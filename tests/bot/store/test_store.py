"""The store, on SQLite and on PostgreSQL."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.errors import DppctlError
from bot.limits import MAX_LOG_BYTES
from bot.model.decisions import Ref, Refusal, Skip, Update
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.reports import Phase, Receipt, SyncEvent
from bot.model.values import Source, Values
from bot.model.webhook_events import Deleted, Ping, Status
from bot.store.deliveries import NewDelivery
from bot.store.leader import Leader
from bot.store.store import Store
from cluster.local.databases import postgres
from tests.support.environment import REPOSITORY
from tests.support.receiver import PUSHED
from tests.support.waiting import eventually

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = postgres.scratch(tmp_path_factory.mktemp("postgres"))
    server = postgres.start(folder)
    yield f"postgresql+psycopg://{postgres.USER}:{server.password}@127.0.0.1:{server.port}"
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("PostgreSQL"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bot.sqlite"
    server: str = request.getfixturevalue("server")
    main, name = Store(f"{server}/postgres"), f"test_{abs(hash(str(tmp_path)))}"
    with main.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    main.close()
    return f"{server}/{name}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


def event(phase: Phase, ops_commit: str = "a", message: str = "", log: str = "", **more: object) -> SyncEvent:
    return SyncEvent.model_validate(
        {
            "ops_commit": ops_commit * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/master",
            "commit": "c" * 40, "phase": phase, "time": NOW, "message": message, "log": log, **more,
        }
    )  # fmt: skip


def update() -> Update:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="c" * 40)
    target = Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")
    return Update(target, Values(image=None, source=source, pipelines=()))


def receipt(rows: int) -> Receipt:
    result = {"id": "./one", "status": "succeeded", "rows": rows}
    return Receipt.model_validate({"status": "succeeded", "pipelines": [result], "started": NOW, "ended": NOW})


def states(store: Store) -> list[str]:
    return [one.state for one in reversed(store.deployments.newest())]


def test_a_delivery_is_new_once_and_again_only_when_it_had_failed(store: Store) -> None:
    assert [store.deliveries.record("1", PUSHED), store.deliveries.record("1", PUSHED)] == ["new", "seen"]
    assert [one.id for one in store.deliveries.take()] == ["1"]
    store.deliveries.finish(["1"], "failed", "no network")
    assert (store.deliveries.newest()[0].reason, list(store.deliveries.take())) == ("no network", [])
    assert store.deliveries.record("1", PUSHED) == "again"
    store.deliveries.finish(["1"], "processed")
    assert store.deliveries.record("1", PUSHED) == "seen"
    (delivery,) = store.deliveries.newest()
    assert (delivery.state, delivery.reason) == ("processed", None)
    assert delivery.finished
    assert delivery.finished.tzinfo


def test_deliveries_that_come_together_are_told_apart(store: Store) -> None:
    one, two, three = (NewDelivery(name, PUSHED) for name in ("c", "a", "b"))
    store.deliveries.record(two.id, two.event)
    store.deliveries.finish(["a"], "failed", "no network")
    assert store.deliveries.record_all([one, two, three, one]) == ["new", "again", "new", "seen"]
    assert {one.id for one in store.deliveries.take()} == {"a", "b", "c"}


def test_old_deliveries_are_forgotten_but_not_those_that_wait(store: Store) -> None:
    for name in ("waits", "done"):
        store.deliveries.record(name, PUSHED)
    store.deliveries.finish(["done"], "processed")
    store.deliveries.forget(datetime.now(UTC) - timedelta(days=1))
    assert len(store.deliveries.newest()) == 2
    store.deliveries.forget(datetime.now(UTC) + timedelta(days=1))
    assert [one.id for one in store.deliveries.newest()] == ["waits"]


def test_an_ignored_delivery_is_kept_and_not_taken(store: Store) -> None:
    store.deliveries.record("1", Ping("ping", None), "pong")
    assert store.deliveries.take() == []
    assert store.counts().deliveries == {"ignored": 1}


def test_an_events_row_has_the_columns_that_its_kind_fills(store: Store) -> None:
    store.deliveries.record("1", Deleted("push", "ann/app", "refs/tags/v1", "a" * 40, "0" * 40))
    store.deliveries.record("2", Status("status", "ann/ops", "b" * 40, "success", "argocd/staging", "Synced"))
    deleted, status = sorted(store.deliveries.newest(), key=lambda row: row.id)
    assert (deleted.event, deleted.repository, deleted.status) == ("push", "ann/app", None)
    assert (deleted.ref, deleted.before, deleted.after) == ("refs/tags/v1", "a" * 40, "0" * 40)
    assert (status.event, status.ref, status.before, status.after) == ("status", None, None, "b" * 40)
    assert status.status == {"state": "success", "context": "argocd/staging", "description": "Synced"}


def test_many_at_once_receive_one_delivery_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: store.deliveries.record("1", PUSHED), range(32)))
    assert sorted(results) == ["new", *["seen"] * 31]


def test_a_deployments_life_is_kept_with_its_receipt(store: Store) -> None:
    number = store.deployments.record(update(), "a" * 40)
    assert store.deployments.record(update(), "a" * 40) == number
    store.deployments.report(event("started"))
    store.deployments.report(event("succeeded", receipt=receipt(3)))
    deployment = store.deployments.get(number)
    assert deployment
    assert (deployment.state, deployment.rows, deployment.changed) == ("succeeded", 3, NOW)
    assert [one.phase for one in deployment.events] == ["committed", "started", "succeeded"]


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
    assert [(one.phase, (one.receipt or {}).get("status")) for one in full.events][-1] == ("scheduled", "succeeded")


def test_many_threads_telling_of_one_deployment_make_one(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store.deployments.report, [event("progress", "b") for _ in range(24)]))
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


def test_every_change_moves_the_change_number(store: Store) -> None:
    seen = [store.totals.change_number()]
    for change in (
        lambda: store.deployments.record(update(), "a" * 40),
        lambda: store.deployments.report(event("progress")),
        lambda: store.deployments.append_log(1, "x"),
        lambda: store.holds.set("a/b", "staging", "why"),
        lambda: store.holds.release("a/b", "staging"),
    ):
        change()
        seen.append(store.totals.change_number())
    assert seen == sorted(set(seen))


def test_a_request_waits_until_it_is_finished(store: Store) -> None:
    number = store.requests.add("ann/app", "staging", "v1")
    assert [one.ref for one in store.requests.take()] == ["v1"]
    assert store.counts().queue == 1
    deployment = store.deployments.record(update(), "a" * 40)
    store.requests.finish(number, "done", "fine", deployment)
    found = store.requests.get(number)
    assert found
    assert (found.state, found.message, found.deployment_id) == ("done", "fine", deployment)
    assert store.requests.take() == []


def test_a_hold_is_replaced_and_released(store: Store) -> None:
    store.holds.set("a/b", "staging", "one")
    store.holds.set("a/b", "staging", "two", until=("refs/heads/x", "t"))
    assert [(one.reason, one.until_ref) for one in store.holds.all()] == [("two", "refs/heads/x")]
    assert [store.holds.release("a/b", "staging"), store.holds.release("a/b", "staging")] == [True, False]


def test_a_tag_appears_when_it_is_first_seen_and_anew_when_it_moves(store: Store) -> None:
    first = store.tags.see("a/b", {"v1": "1", "v2": "2"})
    assert first["v1"] == first["v2"] == store.tags.see("a/b", {"v1": "1", "v2": "2"})["v1"]
    assert store.tags.baseline("a/b", first) >= first["v1"]
    moved = store.tags.see("a/b", {"v1": "3", "v2": "2"})
    assert moved["v1"] > store.tags.baseline("a/b", moved) > moved["v2"]
    assert set(store.tags.see("a/b", {"v2": "2"})) == {"v2"}
    assert store.tags.see("a/b", {"v1": "3", "v2": "2"})["v1"] > moved["v1"]
    assert store.tags.see("c/d", {}) == {}


def test_an_app_that_had_no_tags_has_a_baseline_too(store: Store) -> None:
    baseline = store.tags.baseline("a/b", {})
    assert datetime.now(UTC) - baseline < timedelta(minutes=1)
    assert store.tags.see("a/b", {"v1": "1"})["v1"] > baseline


def test_totals_add_up(store: Store) -> None:
    store.totals.add({"git_calls": 3, "reconcile_seconds": 0.5})
    store.totals.add({"git_calls": 4})
    assert store.counts().totals == {"git_calls": 7, "reconcile_seconds": 0.5}


def test_another_start_finds_what_was_there(url: str, store: Store) -> None:
    store.deployments.report(event("started"))
    again = Store(url)
    assert len(again.deployments.newest()) == 1
    again.close()


def test_several_processes_open_a_new_database_at_once(url: str) -> None:
    program = "import sys; from bot.store.store import Store; Store(sys.argv[1]).totals.add({'opened': 1})"
    started = [subprocess.Popen([sys.executable, "-c", program, url], cwd=REPOSITORY) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    store = Store(url)
    assert store.counts().totals == {"opened": 4}
    store.close()


def test_the_migrations_make_what_the_models_say(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from bot.store.tables import Base

    with store.database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_of_a_newer_dppctl_is_left_alone(url: str, store: Store) -> None:
    with store.database.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
        connection.commit()
    with pytest.raises(DppctlError, match="not one that this dppctl knows"):
        Store(url)


def test_a_database_that_cannot_be_opened_is_one_line_without_the_password() -> None:
    for bad in ("sqlite:////nowhere/x.sqlite", "postgresql+psycopg://me:hushhush@127.0.0.1:1/x", "nonsense"):
        with pytest.raises(DppctlError, match=r"^DPPCTL_DATABASE_URL ") as refused:
            Store(bad)
        assert "hushhush" not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_there_is_one_leader_and_another_takes_over(url: str, store: Store) -> None:
    other_store = Store(url)
    first, second = Leader(store.database), Leader(other_store.database)
    assert [first.acquire(), first.acquire(), second.acquire()] == [True, True, False]
    first.release()
    assert [second.acquire(), first.acquire()] == [True, False]
    second.release()
    other_store.close()


def test_a_leader_that_is_killed_is_replaced(url: str, store: Store) -> None:
    program = (
        "import sys; from bot.store.store import Store; from bot.store.leader import Leader\n"
        "leader = Leader(Store(sys.argv[1]).database); print(leader.acquire(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        leader = Leader(store.database)
        assert not leader.acquire()
        process.kill()
        process.wait()
        eventually(leader.acquire, "the other takes over", 10)
        leader.release()


def test_what_github_was_not_told_is_kept(store: Store) -> None:
    store.deployments.report(event("started", "a"))
    (one,) = store.notices.pending(NOW - timedelta(days=1))
    assert (one.notice.github_id, one.is_replaced) == (None, False)
    store.notices.record(one.deployment.id, github_id=2**40, state="in_progress")
    store.notices.record(one.deployment.id, changed=one.deployment.changed, seen="running")
    assert store.notices.pending(NOW - timedelta(days=1)) == []
    store.deployments.report(event("succeeded", "a"))
    (one,) = store.notices.pending(NOW - timedelta(days=1))
    assert (one.notice.github_id, one.notice.state) == (2**40, "in_progress")
    assert store.notices.pending(datetime.now(UTC) + timedelta(days=1)) == []
    store.notices.record(one.deployment.id, state="success", changed=one.deployment.changed, seen="succeeded")
    store.deployments.report(event("succeeded", "b"))
    replaced, newest = store.notices.pending(NOW - timedelta(days=1))  # though no time has passed
    assert (replaced.deployment.id, replaced.is_replaced, newest.is_replaced) == (one.deployment.id, True, False)
    assert [old.deployment.id for old in store.notices.pending(datetime.now(UTC) + timedelta(days=1))] == [
        one.deployment.id
    ]


def test_deliveries_that_failed_are_not_settled(store: Store) -> None:
    store.deliveries.record_all([NewDelivery(name, PUSHED) for name in ("processed", "failed", "waits")])
    store.deliveries.finish(["processed"], "processed")
    store.deliveries.finish(["failed"], "failed")
    assert store.deliveries.settled(["processed", "failed", "waits", "unknown"]) == {"processed", "waits"}
