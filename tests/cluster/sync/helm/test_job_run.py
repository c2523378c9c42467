"""A Job is followed by its pod's log. The API server of tests has no node, so no logs: here a hand plays its part."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient, Object
from bot.model.values import Pipeline, Source, Values
from cluster.sync.helm.job_run import JobEnd, JobError, JobLimits, JobRun
from tests.support.stories.helm_cluster import receipt
from tests.support.waiting import eventually

VALUES = Values(
    image="registry/app@sha256:1",
    source=Source(repository="ann/app", path="", ref="refs/heads/master", commit="c" * 40),
    pipelines=(Pipeline(id="./one"),),
)
MADE = "2026-01-01T00:00:00Z"
NAME = {"name": "j-1", "creationTimestamp": MADE}


class Hand:
    """Answers as the API server does."""

    def __init__(self, *log: dict[str, Any] | str | Exception) -> None:
        self.log = list(log)  # an exception breaks the connection, once
        self.conditions: list[Object] = []
        self.state: Object = {"running": {}}
        self.beside: list[Object] = []  # statuses of other containers
        self.deleted: list[str] = []
        self.opened = 0
        self.away = False  # the log: its node, or the kubelet there
        self.since: list[object] = []
        self.looks = 0

    def get(self, _path: str) -> Object:
        self.looks += 1
        return {"metadata": NAME, "spec": {}, "status": {"conditions": self.conditions}}

    def list(self, _path: str, _selector: str) -> list[Object]:
        status = {"containerStatuses": [{"name": "pipelines", "state": self.state}, *self.beside]}
        return [{"metadata": NAME, "spec": {}, "status": status}]

    def delete(self, path: str) -> None:
        self.deleted.append(path)

    def lines(self, _path: str, _seconds: float, _opened: Callable[[Any], None], **query: object) -> Iterator[bytes]:
        if self.away:
            raise ApiAwayError("the cluster does not answer: 502 Bad Gateway", "502 Bad Gateway")
        lines = [(number, line) for number, line in enumerate(self.log)]
        if "tailLines" in query:
            for _, line in lines[-int(str(query["tailLines"])) :]:
                yield _text(line)
            return
        self.opened += 1
        self.since.append(query.get("sinceTime"))
        for number, line in lines:
            if isinstance(line, Exception):
                self.log.remove(line)
                raise line
            yield f"2026-01-01T00:00:00.{number + 1}Z ".encode() + _text(line)
        self.ends("Complete" if '"succeeded"' in str(self.log[-1:]).replace("'", '"') else "Failed")

    def ends(self, kind: str, message: str = "", **terminated: Any) -> None:
        self.conditions = [{"type": kind, "status": "True", "message": message}]
        self.state = {"terminated": {"exitCode": 0 if kind == "Complete" else 1, **terminated}}


def _text(line: object) -> bytes:
    return (line if isinstance(line, str) else json.dumps(line)).encode()


def run(hand: Hand, told: str = "", **limits: float) -> JobRun:
    return JobRun(cast(KubernetesClient, hand), "ns", "j-1", VALUES, JobLimits(**limits), told)


def told(job: JobRun) -> tuple[str, str]:
    """The last progress, and all of the log."""
    steps, log = zip(*job.follow(), strict=True)
    return steps[-1], "".join(log)


ROWS = {"event": "progress", "pipeline": "./one", "rows": 3}
LINE = {"event": "log", "pipeline": "./one", "line": "hello"}
ENDED = {"event": "ended", "receipt": receipt()}


def test_progress_log_and_receipt_come_from_the_pods_log() -> None:
    forged = ({"event": kind} for kind in ("progress", "log", "invalid", "finished"))
    job = run(Hand("an image's greeting", '{"event": ' + "[" * 100_000, *forged, ROWS, LINE, ENDED))
    assert told(job) == ("./one: 3 rows", "./one: hello\n")
    found = job.end(None).receipt
    assert found
    assert found.rows == 3
    assert (found.image, found.source) == (VALUES.image, VALUES.source)


def test_a_connection_that_breaks_is_opened_again_and_no_line_told_twice() -> None:
    hand = Hand(ROWS, LINE, ApiAwayError("gone"), {**LINE, "line": "again"}, ENDED)
    _, log = told(run(hand))
    assert log == "./one: hello\n./one: again\n"
    assert hand.opened == 2
    assert hand.since == [None, "2026-01-01T00:00:00.2Z"]


def test_after_a_restart_the_log_is_told_from_where_it_was_told() -> None:
    job = run(Hand(ROWS, LINE, {**LINE, "line": "again"}, ENDED))
    assert told(job)[1] == "./one: hello\n./one: again\n"
    assert job.reported_log == "j-1 2026-01-01T00:00:00.4Z"
    hand = Hand(ROWS, LINE, {**LINE, "line": "again"}, ENDED)
    job = run(hand, "j-1 2026-01-01T00:00:00.2Z")
    assert told(job)[1] == "./one: again\n"
    assert hand.since == ["2026-01-01T00:00:00.2Z"]


@pytest.mark.parametrize("place", ["", "j-2 2026-01-01T00:00:00.2Z", "j-1 yesterday"])
def test_another_pods_log_is_told_from_its_start(place: str) -> None:
    job = run(hand := Hand(ROWS, LINE, ENDED), place)
    assert told(job)[1] == "./one: hello\n"
    assert hand.since == [None]


def test_without_a_log_the_summary_in_the_pods_status_is_the_receipt() -> None:
    hand = Hand()
    hand.ends("Failed", message=json.dumps(receipt("failed", error="the reason")))
    hand.state["terminated"]["message"] = json.dumps(receipt("failed", error="the reason"))
    job = run(hand)
    assert list(job.follow()) == []
    found = job.end(None).receipt
    assert found
    assert found.pipelines[0].error == "the reason"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.sync.helm.job_run.LOG_AWAY_SECONDS", 0.1)
    monkeypatch.setattr("cluster.sync.helm.job_run.JOB_LOOK_SECONDS", (0.05, 0.05))


@pytest.mark.usefixtures("_impatient")
def test_a_log_that_is_away_for_ever_keeps_no_job_that_ended_from_its_end() -> None:
    hand = Hand()
    hand.away = True
    hand.ends("Failed")
    hand.state["terminated"]["message"] = json.dumps(receipt("failed", error="the reason"))
    found = run(hand).end(None).receipt
    assert found
    assert found.pipelines[0].error == "the reason"
    hand.ends("Complete")
    assert run(hand).end(None) == JobEnd(None, was_there=False, unread="502 Bad Gateway")
    hand.ends("Failed", "backoff limit")
    with pytest.raises(JobError, match=r"^container pipelines ended with .* 1; its log cannot be read: 502 Bad Gatewa"):
        run(hand).end(None)


@pytest.mark.usefixtures("_impatient")
def test_a_log_that_is_away_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.sync.helm.job_run.LOG_AWAY_SECONDS", 60.0)
    hand = Hand(ENDED)
    hand.away = True
    hand.ends("Complete")
    threading.Timer(0.2, lambda: setattr(hand, "away", False)).start()
    found = run(hand).end(None).receipt
    assert found
    assert found.rows == 3


def test_copying_that_fails_after_good_pipelines_is_a_failure() -> None:
    hand = Hand({"event": "ended", "receipt": receipt("succeeded")})
    job = run(hand)
    assert list(job.follow()) == []
    hand.ends("Failed", "Job has reached the specified backoff limit", exitCode=0)
    hand.beside = [{"name": "bucket", "state": {"terminated": {"exitCode": 1, "message": "access denied"}}}]
    with pytest.raises(JobError, match=r"^container bucket ended with exit code 1: access denied$"):
        job.end(None)


def test_what_ended_the_pod_stands_before_what_the_worker_could_say() -> None:
    hand = Hand({"event": "ended", "receipt": receipt("failed", error="rows: ended by SIGKILL")})
    job = run(hand)
    assert list(job.follow()) == []
    hand.ends("Failed", "backoff limit", reason="OOMKilled")
    ended = job.end(None)
    assert ended.cause == "container pipelines needed more memory than there is and was killed (OOMKilled)"
    assert ended.receipt
    assert "SIGKILL" in str(ended.receipt.pipelines[0].error)


def test_a_workload_that_is_wrong_is_told_with_its_places() -> None:
    wrong = {"event": "invalid", "errors": [{"where": "pipeline-spec.yaml:3", "message": "no such processor"}]}
    job = run(Hand(wrong))
    list(job.follow())
    with pytest.raises(JobError, match=r"^pipeline-spec.yaml:3: no such processor$"):
        job.end(None)


def test_a_job_that_ran_before_is_told_so() -> None:
    hand = Hand()
    hand.ends("Failed", "backoff limit")
    hand.state["terminated"]["message"] = "no python3"
    with pytest.raises(JobError, match=r"exit code 1: no python3; this Job ran before, and runs again when"):
        run(hand).end(datetime.now(UTC))


def test_an_image_that_cannot_be_pulled_is_told_and_not_waited_for_without_end() -> None:
    hand = Hand()
    hand.state = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    messages: list[str] = []
    following = run(hand, start=0.1).follow()
    with pytest.raises(
        JobError, match=r"did not start within 0.1 seconds: container pipelines: ImagePullBackOff: not f"
    ):
        messages.extend(message for message, _ in following)
    assert messages == ["container pipelines: ImagePullBackOff: not found"]
    assert hand.deleted == ["/apis/batch/v1/namespaces/ns/jobs/j-1"]


def test_a_job_that_takes_too_long_is_deleted() -> None:
    hand = Hand()
    hand.state = {}
    with pytest.raises(JobError, match=r"took longer than 0.1 seconds \(DPPCTL_JOB_SECONDS\)"):
        list(run(hand, run=0.1).follow())
    assert hand.deleted


def test_a_log_that_cannot_be_read_is_not_asked_for_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.sync.helm.job_run.JOB_LOOK_SECONDS", (600.0, 600.0))
    hand = Hand(*[ApiError("pods/log is forbidden", 403)] * 100_000)
    job = run(hand)
    following = threading.Thread(target=lambda: list(job.follow()))
    following.start()
    eventually(lambda: hand.opened, "the log was asked for")
    job.stop()
    following.join()
    assert hand.opened == 1


def test_a_run_that_waits_for_its_turn_at_the_database_says_so_once() -> None:
    hand = Hand("waits for another run of this environment, which works on its database (pod 1)")
    hand.state = {"waiting": {"reason": "PodInitializing"}}
    hand.beside = [{"name": "begin", "state": {"running": {}}}]
    job, messages = run(hand), list[str]()
    following = threading.Thread(target=lambda: messages.extend(message for message, _ in job.follow()))
    following.start()
    eventually(lambda: messages == hand.log, "it is told")
    hand.beside = []
    eventually(lambda: hand.looks > 8, "it went on to look")
    job.stop()
    following.join()
    assert messages == hand.log


def test_stop_ends_the_following_and_leaves_the_job() -> None:
    hand = Hand()
    hand.state = {}
    job = run(hand)
    threading.Timer(0.2, job.stop).start()
    assert list(job.follow()) == []
    assert hand.deleted == []


def test_data_that_is_not_as_expected_is_told_in_its_own_lines_with_the_receipt() -> None:
    hand = Hand(ENDED)
    hand.ends("Failed", exitCode=0)
    lines = "numbers: 3 rows; minRows is 4\nother: gone; columns is keep"
    hand.beside = [{"name": "finish", "state": {"terminated": {"exitCode": 3, "message": f"{lines}\n"}}}]
    ended = run(hand).end(None)
    assert "\n".join(ended.unexpected) == lines
    assert ended.receipt
    assert ended.receipt.rows == 3


def test_what_somebody_took_all_the_same_is_told_with_the_receipt() -> None:
    hand = Hand(ENDED)
    hand.ends("Complete")
    hand.beside = [{"name": "finish", "state": {"terminated": {"exitCode": 0, "message": "numbers: 3 rows\nx: gone"}}}]
    ended = run(hand).end(None)
    assert (ended.taken, ended.unexpected) == (("numbers: 3 rows", "x: gone"), ())


def test_data_to_go_back_to_that_is_gone_is_an_end_of_its_own() -> None:
    hand = Hand()
    hand.ends("Failed", exitCode=0)
    hand.state = {"waiting": {"reason": "PodInitializing"}}
    hand.beside = [{"name": "begin", "state": {"terminated": {"exitCode": 4, "message": "not kept"}}}]
    assert run(hand).end(None) == JobEnd(None, was_there=False, is_gone=True)


def test_data_that_could_not_be_taken_says_why() -> None:
    hand = Hand(ENDED)
    hand.ends("Failed", exitCode=0)
    hand.beside = [{"name": "finish", "state": {"terminated": {"exitCode": 1, "message": "database x was replaced"}}}]
    with pytest.raises(JobError) as raised:
        run(hand).end(None)
    assert str(raised.value) == "container finish ended with exit code 1: database x was replaced"
