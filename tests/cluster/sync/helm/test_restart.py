"""A sync that was ended or killed goes on where it was."""

import pytest

from bot.model.reports import SyncEvent
from cluster.errors import ClusterError
from cluster.sync.helm import records
from tests.support.pod_log import Log
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually
from tests.support.world import STAGING

RUNNING = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "pipelines",
            "state": {"running": {}},
            "image": "x",
            "imageID": "x",
            "ready": True,
            "restartCount": 0,
        }
    ],
}


def test_after_a_restart_the_job_is_followed_and_not_run_again(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
    runs = cluster.helm.runs
    cluster.start()
    with cluster.running():
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert cluster.helm.runs == runs
    assert cluster.last().message == "3 rows"
    assert len(cluster.objects("jobs")) == 1


def test_after_a_restart_no_line_of_the_jobs_log_is_told_twice(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr(cluster.api, "lines", log.lines)

    def told() -> str:
        return "".join(event.log for event in cluster.events)

    cluster.say("one")
    log.write("first")
    with cluster.running():
        cluster.until("running")
        cluster.pod_says(RUNNING)
        eventually(lambda: "first" in told(), "the first line is told")
    log.write("second")
    cluster.start()
    with cluster.running():
        eventually(lambda: "second" in told(), "the second line is told")
        cluster.job_ends(receipt())
        log.end()
        cluster.until("succeeded")
    assert told() == "./one: first\n./one: second\n"


def test_how_much_of_the_log_was_told_is_written_down_for_a_kill(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr(cluster.api, "lines", log.lines)
    monkeypatch.setattr("cluster.sync.helm.journal.LOG_POSITION_SECONDS", 0.0)
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.pod_says(RUNNING)
        pod = cluster.objects("pods")[0]["metadata"]["name"]
        for number, line in enumerate(("first", "second")):
            log.write(line)
            place = f"{pod} 2026-01-01T00:00:0{number}.5Z"
            eventually(
                lambda place=place: (kept := cluster.kept()) and kept.record.reported_log == place, "it is written down"
            )


def test_a_kill_before_the_rollback_leaves_it_to_be_made(cluster: Cluster) -> None:
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        cluster.say("two", people={"text": "second"})
        cluster.until("running", image="two")
        cluster.job()
    place, kept = cluster.sync.locations[STAGING], cluster.kept()
    assert kept
    failed = records.outcome(cluster.api, place)
    assert failed
    failed = failed.model_copy(update={"phase": "failed", "message": "the reason"})
    records.write(cluster.api, place, kept.record.with_("failing"), failed)
    assert not cluster.start().sync()
    assert cluster.text() == "first"
    assert (cluster.phase(), cluster.last().message) == ("failed", "the reason")


def test_an_end_that_nobody_heard_is_told_again(cluster: Cluster) -> None:
    heard: list[SyncEvent] = []

    def away(event: SyncEvent) -> None:
        if len(heard) < 1 and event.phase == "succeeded":
            heard.append(event)
            raise ClusterError("the receiver is away")
        cluster.events.append(event)

    cluster.report = away  # type: ignore[method-assign]
    cluster.start()
    cluster.say(pipelines=())
    assert not cluster.sync.sync()
    runs = cluster.helm.runs
    assert cluster.start().sync()
    assert cluster.phases() == ["started", "succeeded"]
    assert cluster.helm.runs == runs
