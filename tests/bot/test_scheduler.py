"""The scheduler of the servers: never two jobs for one target, a number of them at a time, what failed again later."""

import threading
from collections.abc import Iterator

import pytest
from structlog.typing import EventDict

from bot.backoff import Backoff
from bot.errors import DppctlError, PermanentError, TransientError
from bot.scheduler import EndedJob, Scheduler
from tests.support.waiting import eventually

LONG = 5.0


class GatedJob:
    """A job that runs until the test opens its gate, or somebody stops it."""

    def __init__(self, result: object = None) -> None:
        self.result = result
        self.gate = threading.Event()
        self.stops: list[bool] = []

    def run(self) -> object:
        assert self.gate.wait(LONG)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def stop(self, *, superseded: bool) -> None:
        self.stops.append(superseded)
        self.gate.set()


class StubbornJob(GatedJob):
    """A job that does not end when it is told to."""

    def stop(self, *, superseded: bool) -> None:
        self.stops.append(superseded)


class Pass:
    """A scheduler with the ends that it told of, and a backoff of a few milliseconds or of hours."""

    def __init__(self, limit: int = 2, retry_seconds: float = 0.001) -> None:
        self.stopping = threading.Event()
        self.told: list[str] = []
        self.scheduler: Scheduler[str, GatedJob] = Scheduler(
            self.stopping,
            lambda ended: self.told.append(ended.target),
            limit,
            Backoff(retry_seconds, 3600.0),
        )

    def run(self, target: str, result: object = None) -> EndedJob[str, GatedJob]:
        """Run a job to its end."""
        job = GatedJob(result)
        assert self.scheduler.start(target, job)
        job.gate.set()
        (ended,) = self.scheduler.collect(LONG)
        return ended


def test_a_job_that_takes_long_is_in_nobodys_way_up_to_a_number() -> None:
    stopping = threading.Event()
    scheduler: Scheduler[str, GatedJob] = Scheduler(stopping, lambda _: None, 1, patience=0.0, most=3)
    assert [scheduler.start(name, GatedJob()) for name in "abcd"] == [True, True, True, False]
    assert len(scheduler.close(LONG)) == 3


@pytest.fixture
def jobs() -> Iterator[Pass]:
    found = Pass()
    yield found
    found.scheduler.close(LONG)


def test_a_target_has_one_job_until_its_end_was_collected(jobs: Pass) -> None:
    first, second = GatedJob("first"), GatedJob("second")
    assert jobs.scheduler.start("a", first)
    assert not jobs.scheduler.start("a", second)
    assert jobs.scheduler.running("a") is first
    first.gate.set()
    eventually(lambda: jobs.told == ["a"], "the end is told")
    assert not jobs.scheduler.start("a", second)
    (ended,) = jobs.scheduler.collect()
    assert (ended.target, ended.job, ended.result, ended.error) == ("a", first, "first", None)
    assert jobs.scheduler.collect() == []
    assert jobs.scheduler.start("a", second)


def test_no_more_jobs_at_a_time_than_the_limit(jobs: Pass) -> None:
    many = [GatedJob() for _ in range(3)]
    assert [jobs.scheduler.start(str(number), job) for number, job in enumerate(many)] == [True, True, False]
    assert (len(jobs.scheduler), jobs.scheduler.free()) == (2, 0)
    many[0].gate.set()
    assert [ended.target for ended in jobs.scheduler.collect(LONG)] == ["0"]
    assert jobs.scheduler.free() == 1
    assert jobs.scheduler.start("2", many[2])


def test_the_newest_runs_next_and_what_came_between_never_does(jobs: Pass) -> None:
    """As a sync uses it: each pass decides anew, and supersedes what runs while something newer is wanted."""
    started = []

    def look(wanted: str) -> None:
        running = jobs.scheduler.running("a")
        if running is None:
            assert jobs.scheduler.start("a", GatedJob(wanted))
            started.append(wanted)
        elif running.result != wanted:
            jobs.scheduler.supersede("a")

    look("v1")
    first = jobs.scheduler.running("a")
    look("v2")
    look("v3")
    assert first
    assert first.stops == [True]  # once
    (ended,) = jobs.scheduler.collect(LONG)
    assert ended.superseded
    look("v3")
    assert started == ["v1", "v3"]


def test_what_failed_waits_longer_each_time_and_other_targets_do_not() -> None:
    jobs = Pass(retry_seconds=1000.0)
    assert isinstance(jobs.run("a", TransientError("away")).error, TransientError)
    assert jobs.scheduler.waits("a")
    assert not jobs.scheduler.start("a", GatedJob())
    assert jobs.run("b", "done").result == "done"
    jobs.scheduler.forget_failures("a")  # something else is wanted of it
    assert jobs.run("a", "done").result == "done"
    assert not jobs.scheduler.waits("a")


def test_what_failed_is_tried_again_when_its_time_has_come(jobs: Pass) -> None:
    jobs.run("a", DppctlError("no"))
    eventually(lambda: not jobs.scheduler.waits("a"), "it is due")
    assert jobs.run("a", "done").error is None


def test_what_a_person_must_change_first_is_tried_rarely(jobs: Pass) -> None:
    jobs.run("a", PermanentError("never, as things are"))
    assert jobs.scheduler.waits("a")  # for an hour or so, where another error waits for a millisecond


def test_what_was_superseded_waits_for_nothing_however_it_ended() -> None:
    jobs = Pass(retry_seconds=1000.0)
    jobs.scheduler.start("a", GatedJob(TransientError("stopped")))
    jobs.scheduler.supersede("a")
    (ended,) = jobs.scheduler.collect(LONG)
    assert (ended.superseded, isinstance(ended.error, TransientError)) == (True, True)
    assert not jobs.scheduler.waits("a")


def test_a_mistake_is_a_result_and_its_traceback_is_in_the_log(jobs: Pass, warned: list[EventDict]) -> None:
    mistake = ValueError("a mistake of ours")
    assert jobs.run("a", mistake).error is mistake
    jobs.run("b", DppctlError("what a user is told has no traceback"))
    (event,) = warned
    assert (event["event"], event["target"], event["exc_info"]) == ("job broke", "a", True)


def test_after_the_stop_nothing_starts_and_what_runs_is_told_once(jobs: Pass) -> None:
    job = GatedJob("stopped")
    jobs.scheduler.start("a", job)
    jobs.stopping.set()
    assert jobs.scheduler.free() == 0
    assert not jobs.scheduler.start("b", GatedJob())
    assert [ended.result for ended in jobs.scheduler.close(LONG)] == ["stopped"]
    assert job.stops == [False]
    assert len(jobs.scheduler) == 0


def test_a_job_that_does_not_end_is_left_behind_after_a_while(jobs: Pass) -> None:
    stubborn = StubbornJob()
    jobs.scheduler.start("a", stubborn)
    assert jobs.scheduler.close(0.01) == []
    stubborn.gate.set()


def test_a_job_that_gets_no_thread_ends_and_is_tried_again(jobs: Pass, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert jobs.scheduler.start("a", GatedJob())
    (ended,) = jobs.scheduler.collect()
    assert str(ended.error) == "can't start new thread"
    assert jobs.told == ["a"]
    eventually(lambda: not jobs.scheduler.waits("a"), "it may be tried again")
    assert jobs.run("a", "done").result == "done"
