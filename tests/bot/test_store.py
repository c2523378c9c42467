from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.events import Phase, Receipt, SyncEvent
from bot.names import RepoPath
from bot.reconcile import Ref, Refusal, Update
from bot.registration import Target
from bot.store import DeliveryRecord, Store
from bot.values import Source, Values

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/bot.sqlite")
    yield store
    store.close()


def delivery(identity: str) -> DeliveryRecord:
    nothing = dict.fromkeys(("repository", "ref", "before", "after"))
    return DeliveryRecord(id=identity, event="push", outcome="accepted", received=NOW, **nothing)


def event(phase: Phase, ops_commit: str = "a", message: str = "", receipt: Receipt | None = None) -> SyncEvent:
    return SyncEvent(
        ops_commit=ops_commit * 40, app="ann/app", environment="staging", ref="refs/heads/master",
        commit="c" * 40, phase=phase, time=NOW, message=message, receipt=receipt,
    )  # fmt: skip


def update() -> Update:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="c" * 40)
    target = Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")
    return Update(target, Values(image=None, source=source, pipelines=()))


def test_a_delivery_is_recorded_once(store: Store) -> None:
    assert store.record_delivery(delivery("1"))
    assert not store.record_delivery(delivery("1"))
    assert [(one.id, one.received) for one in store.deliveries()] == [("1", NOW)]


def test_a_deployments_life_is_kept_with_its_receipt(store: Store) -> None:
    store.record_update(update(), "a" * 40)
    store.record_event(event("started"))
    result = {"id": "./one", "status": "succeeded", "rows": 3}
    receipt = Receipt.model_validate({"status": "succeeded", "pipelines": [result], "started": NOW, "ended": NOW})
    store.record_event(event("succeeded", receipt=receipt))
    (deployment,) = store.deployments()
    assert (deployment.state, deployment.rows, deployment.changed) == ("succeeded", 3, NOW)
    assert [one.phase for one in deployment.events] == ["committed", "started", "succeeded"]


def test_an_end_stays_the_end_whatever_arrives_late(store: Store) -> None:
    for phase in ("started", "failed", "progress"):
        store.record_event(event(phase, message="why"))
    (deployment,) = store.deployments()
    assert (deployment.state, deployment.error) == ("failed", "why")


def test_sync_may_tell_of_a_deployment_before_the_bot_does(store: Store) -> None:
    store.record_event(event("started"))
    store.record_update(update(), "a" * 40)
    assert [one.state for one in store.deployments()] == ["running"]


def test_many_threads_telling_of_one_deployment_make_one(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store.record_event, [event("progress", ops_commit="b") for _ in range(24)]))
    (deployment,) = store.deployments()
    assert len(deployment.events) == 24


def test_the_same_refusal_is_remembered_once(store: Store) -> None:
    refusal = Refusal(RepoPath("ann/app"), "", Ref("refs/heads/x", "c" * 40, 0), "no")
    assert store.record_refusal(refusal)
    assert not store.record_refusal(refusal)
    assert [(one.state, one.error) for one in store.deployments()] == [("refused", "no")]


def test_another_start_finds_what_was_there(tmp_path: Path, store: Store) -> None:
    store.record_event(event("started"))
    again = Store(f"sqlite:///{tmp_path}/bot.sqlite")
    assert len(again.deployments()) == 1
    again.close()
