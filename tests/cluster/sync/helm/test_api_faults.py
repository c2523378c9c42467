"""What the API server does not answer is not taken for absence: for every call of sync's, and ways to fail.

Whatever fails, no environment is told as failed, none is deployed twice, no record is lost; then work goes on.
"""

import pytest
from structlog.typing import EventDict

from bot.model.reports import SyncEvent
from tests.support.faulty_api import ODD, Fault, FaultyApi, some_faults
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually
from tests.support.world import STAGING

pytestmark = pytest.mark.slow

RECORD, JOBS, PODS = r"/configmaps/dppctl-", r"/jobs/[^?]", r"/pods\?"


def failures(cluster: Cluster) -> list[SyncEvent]:
    return [event for event in cluster.events if event.phase == "failed"]


def until_hit(fault: Fault, times: int = 2) -> None:
    eventually(lambda: fault.hits >= times, f"{fault.methods} {fault.path.pattern} failed by {fault.kind}", 20)


@pytest.mark.parametrize(("path", "kinds"), [(r"/secrets\?", some_faults(0, 2)), (r"/configmaps\?", some_faults(1, 2))])
def test_a_listing_that_fails_changes_nothing(
    shaky: Cluster, faulty: FaultyApi, path: str, kinds: tuple[int | str, ...], warned: list[EventDict]
) -> None:
    shaky.say(pipelines=())
    assert shaky.sync.sync()
    runs, before, events = shaky.helm.runs, shaky.kept(), len(shaky.events)
    for kind in kinds:
        warned.clear()
        sync = shaky.start()
        with faulty.failing("GET", path, kind) as fault:
            for _ in range(2):
                assert not sync.look(), kind
                assert not len(sync._scheduler) or sync._collect(5.0) is None
        assert fault.hits, kind
        assert [event["event"] for event in warned].count("namespace not read") == len(shaky.namespaces), kind
        assert sync.sync(), kind
    assert shaky.helm.runs == runs
    assert shaky.kept() == before
    assert {event.phase for event in shaky.events[events:]} <= {"progress"}


# Each on its way to what runs, which is compared with the release.
CALLS = (
    ("GET", r"/secrets/sh\.helm\.release"),
    ("GET", r"/api/v1$|/api/v1\?$"),
    ("GET", r"/apis/apps/v1\?$"),
    ("GET", r"/configmaps/.*-text"),
    ("PATCH", r"/configmaps/.*-text"),
    ("GET", r"/secrets/.*-secret"),
    ("PATCH", r"/secrets/.*-secret"),
    ("GET", r"/deployments/"),
    ("PATCH", r"/deployments/"),
)


def test_a_look_for_drift_that_fails_finds_none(shaky: Cluster, faulty: FaultyApi) -> None:
    shaky.say(pipelines=())
    assert shaky.sync.sync()
    runs, before = shaky.helm.runs, shaky.kept()
    for methods, path, kind in [(*call, kind) for n, call in enumerate(CALLS) for kind in some_faults(n, 9)]:
        shaky.api._kinds.clear()
        sync = shaky.start(drift_seconds=0.0)
        with faulty.failing(methods, path, kind) as fault:
            sync.look()
            sync._collect(10.0)
        assert fault.hits, (methods, path, kind)
        assert not sync.counts.drift.get(STAGING), (methods, path, kind)
        assert shaky.helm.runs == runs, (methods, path, kind)
        eventually(lambda sync=sync: (sync.look() and sync._collect(5.0)) or STAGING in sync.counts.drift, "a check")
        assert sync.counts.drift == {STAGING: 0}, (methods, path, kind)
    assert (shaky.helm.runs, shaky.kept(), failures(shaky)) == (runs, before, [])


@pytest.mark.parametrize(("methods", "kinds"), [("PATCH", some_faults(0, 3)), ("PATCH POST", (401, ODD))])
def test_a_record_that_cannot_be_written_holds_up_and_fails_nothing(
    shaky: Cluster, faulty: FaultyApi, methods: str, kinds: tuple[int | str, ...]
) -> None:
    for kind in kinds:
        shaky.say(pipelines=())
        sync = shaky.start()
        with faulty.failing(methods, rf"{RECORD}|/configmaps(\?.*)?$", kind) as fault:
            sync.look()
            sync._collect(10.0)
        assert fault.hits, kind
        eventually(sync.sync, f"after {kind} it is deployed", 20)
        assert shaky.last().phase == "succeeded", kind
    assert failures(shaky) == []


@pytest.mark.parametrize(("path", "kinds"), [(JOBS, some_faults(0, 2)), (PODS, some_faults(1, 2))])
def test_a_job_that_cannot_be_looked_at_is_followed_all_the_same(
    shaky: Cluster, faulty: FaultyApi, path: str, kinds: tuple[int | str, ...]
) -> None:
    shaky.say("one")
    with shaky.running():
        shaky.until("running")
        shaky.job()
        for kind in kinds:
            with faulty.failing("GET", path, kind) as fault:
                until_hit(fault)
            assert shaky.phase() == "running", kind
        shaky.job_ends(receipt(rows=4))
        shaky.until("succeeded")
    assert shaky.phases() == ["started", "succeeded"]
    assert shaky.last().message == "4 rows"


@pytest.mark.parametrize("kind", [401, 500, ODD])
def test_an_end_that_cannot_be_written_or_read_comes_when_it_can(
    shaky: Cluster, faulty: FaultyApi, kind: int | str
) -> None:
    shaky.say("one")
    with shaky.running():
        shaky.until("running")
        shaky.job()
        with faulty.failing("PATCH POST", rf"{RECORD}|/configmaps(\?.*)?$", kind) as fault:
            shaky.job_ends(receipt(rows=4))
            until_hit(fault, 1)
        shaky.until("succeeded")
    assert shaky.phases() == ["started", "succeeded"]
    assert len(shaky.objects("jobs")) == 1


@pytest.mark.parametrize("kind", [403, 504, 404])
def test_a_rollback_goes_on_when_the_fault_has_passed(shaky: Cluster, faulty: FaultyApi, kind: int | str) -> None:
    shaky.say("one", people={"text": "first"})
    with shaky.running():
        shaky.until("running")
        shaky.job_ends(receipt())
        shaky.until("succeeded")
        shaky.say("two", people={"text": "second"})
        shaky.until("running", image="two")
        shaky.job()
        with faulty.failing("GET", r"/secrets\?.*name%3D", kind) as fault:
            shaky.job_ends(receipt("failed", error="the reason"))
            until_hit(fault, 1)
        shaky.until("failed")
    assert shaky.text() == "first"
    assert shaky.phases()[-1] == "failed"
    assert "could not be rolled back" not in shaky.last().message
