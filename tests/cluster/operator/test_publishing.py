"""What runs write is published by the real publisher, once, whatever is ended in between, or the run says why not."""

import asyncio
import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cluster.operator.event_files import EventFile
from cluster.operator.publishing import PublisherAddress, RunPublisher
from cluster.operator.workers import WorkerClient
from tests.support.environment import use_kubeconfig
from tests.support.needs import needs
from tests.support.publisher.process import TOKEN, PublisherProcess
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import TOKEN as OPERATOR_TOKEN
from tests.support.stories.operator_world import OperatorWorld
from tests.support.waiting import eventually

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]

URL = "https://data.example.org"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory, storage: Path) -> Iterator[PublisherAddress]:
    folder = tmp_path_factory.mktemp("publisher")
    process = PublisherProcess(folder, {"DPPCTL_PUBLISHER_REMOTE": str(storage), "DPPCTL_STORAGE_URL": URL})
    yield PublisherAddress(process.url, folder / "token")
    process.kill()


@pytest.fixture(scope="module")
@needs("an API server")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorWorld]:
    with pytest.MonkeyPatch.context() as patched:
        kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
        use_kubeconfig(patched, kubeconfig)
        patched.setattr("worker.handler.WorkerHandler.log_message", lambda *_: None)
        patched.setattr("worker.server.Run", NamedRun)
        patched.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
        patched.setattr("cluster.operator.publishing.PUBLISH_LOOK_SECONDS", 0.05)
        patched.setattr("cluster.operator.publishing.PUBLISHER_AWAY_SECONDS", 0.2)
        with closing(OperatorWorld(tmp_path_factory.mktemp("world"), kubeconfig, free_port())) as made:
            yield made


@pytest.fixture
def world(shared: OperatorWorld, publisher: PublisherAddress) -> OperatorWorld:
    shared.publisher = publisher
    return shared


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events if event["event"] not in ("log", "progress")]


def names(events: list[dict[str, Any]]) -> list[int]:
    return [event["number"] for event in events]


def test_what_was_written_is_published_before_the_end_is_told(world: OperatorWorld, storage: Path) -> None:
    with world.operator():
        name = world.ask("publish")
        status = world.until(name, "Succeeded")
        worker = status["worker"]["name"]
        events = world.events_of(name)
        uid = world.run(name)["metadata"]["uid"]
        request = urllib.request.Request(
            f"{world.url}/runs/{uid}/events?after={events[-2]['number']}",
            headers={"Authorization": f"Bearer {OPERATOR_TOKEN}"},
        )
        resumed = [json.loads(line) for line in urllib.request.urlopen(request, timeout=10).read().splitlines() if line]
    published = events[-2]
    files = storage / worker
    total = sum(file.stat().st_size for file in files.rglob("*") if file.is_file())
    assert kinds(events)[-4:] == ["written", "ended", "published", "closed"]
    assert names(events) == list(range(1, len(events) + 1))
    assert published["items"] == [
        {"kind": "site", "source": "data/index.html", "url": f"{URL}/{worker}/"},
        {"kind": "data package", "source": "data/committees", "url": f"{URL}/{worker}/committees/"},
    ]
    assert published["bytes"] == status["publishedBytes"] == total
    assert (files / "committees/ועדות.csv").read_text() == "id\n1\n"
    assert [event["event"] for event in resumed] == ["closed", "run"], "what was read before does not come again"


def test_a_thousand_files_are_published(world: OperatorWorld, storage: Path) -> None:
    with world.operator():
        status = world.until(world.ask("many"), "Succeeded", "Failed")
    assert status["phase"] == "Succeeded", status
    assert len(list((storage / status["worker"]["name"] / "many").iterdir())) == 1_001


def test_a_run_that_failed_or_was_stopped_publishes_what_was_written_and_stays_what_it_is(
    world: OperatorWorld, storage: Path
) -> None:
    with world.operator():
        failed, stopped = world.ask("publish", "fail"), world.ask("publish", "wait")
        world.until(stopped, "Running")
        eventually(lambda: len(world.events_of(stopped)) > 2, "it has begun")
        world.stop(stopped)
        ends = [world.until(failed, "Failed"), world.until(stopped, "Stopped")]
    assert [end["reason"] for end in ends] == ["PipelineFailed", "UserStop"]
    assert all((storage / end["worker"]["name"] / "index.html").is_file() for end in ends)


def test_nothing_is_published_of_a_run_that_wants_none_or_wrote_none(world: OperatorWorld, storage: Path) -> None:
    before = set(storage.iterdir())
    with world.operator():
        ends = [world.until(world.ask(*asked, publish=publish), "Succeeded") for asked, publish in RUNS_WITHOUT]
    assert all("publishedBytes" not in end for end in ends)
    assert set(storage.iterdir()) == before


RUNS_WITHOUT = [(("publish",), "none"), (("rows",), "auto")]


def test_a_forged_event_fails_the_run_and_publishes_nothing(world: OperatorWorld, storage: Path) -> None:
    before = set(storage.iterdir())
    with world.operator():
        name = world.ask("publish", "forge")
        status = world.until(name, "Failed", "Succeeded")
    text = "nothing is published: the worker says that it wrote '../index.html', but that is no path below the workload"
    assert (status["phase"], status["reason"]) == ("Failed", "PublishFailed")
    assert status["message"].startswith(text)
    assert kinds(world.events_of(name))[-2:] == ["not_published", "closed"]
    assert set(storage.iterdir()) == before


def test_more_than_a_user_may_publish_is_refused_with_the_limit(world: OperatorWorld, storage: Path) -> None:
    before = set(storage.iterdir())
    limit = {"bytes": 10, "message": "limit publishedBytes: 10 bytes are left"}
    with world.operator():
        ends = [
            world.until(world.ask("publish", publishLimit={**limit, "bytes": left}), "Failed", "Succeeded")
            for left in (10, 0)
        ]
    assert [end["reason"] for end in ends] == ["PublishFailed"] * 2
    assert all(end["message"].startswith("nothing is published: limit publishedBytes: 10 ") for end in ends)
    assert set(storage.iterdir()) == before


def test_what_a_user_published_meanwhile_counts_too(world: OperatorWorld) -> None:
    """Both runs were granted all of a day's bytes, as nothing was published when they were asked for."""
    with world.operator():
        size = world.until(world.ask("publish"), "Succeeded")["publishedBytes"]
        limit = {"bytes": size, "dayBytes": size, "message": "limit publishedBytes"}
        asked = [world.ask("publish", publishLimit=limit, user="github:1") for _ in range(2)]
        ends = [world.until(name, "Failed", "Succeeded") for name in asked]
    assert sorted(end["phase"] for end in ends) == ["Failed", "Succeeded"]
    (refused,) = [end for end in ends if end["phase"] == "Failed"]
    said = "nothing is published: limit publishedBytes: with what you published meanwhile 0 of "
    assert (refused["reason"], refused["message"].startswith(said)) == ("PublishFailed", True), refused


def test_while_the_publisher_is_away_it_is_tried_again_and_then_the_run_has_failed(
    world: OperatorWorld, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    world.publisher = PublisherAddress(f"http://127.0.0.1:{free_port()}", tmp_path / "token")
    with world.operator():
        status = world.until(world.ask("publish"), "Failed", "Succeeded")
    assert (status["phase"], status["reason"]) == ("Failed", "PublishFailed")
    assert status["message"].startswith("nothing is published: the publisher does not answer: ")


STEPS: dict[str, tuple[type, str, Any]] = {
    "before the publisher is asked": (RunPublisher, "publish", lambda *_: True),
    "once it is published": (RunPublisher, "_call", lambda method, *_: method == "GET"),
    "before the worker's end is read": (WorkerClient, "events", lambda *_: True),
}


def test_an_operator_that_is_ended_while_it_publishes_is_followed_by_one_that_goes_on(
    world: OperatorWorld,
) -> None:
    for step, (kind, method, hangs) in STEPS.items():
        with pytest.MonkeyPatch.context() as patched:
            reached = _hang(patched, kind, method, hangs)
            with world.operator():
                name = world.ask("publish")
                eventually(lambda reached=reached: reached, f"it comes to the point {step}")
        _goes_on(world, name, step)


@pytest.mark.parametrize("kind", ["published", "closed"])
def test_an_operator_that_is_ended_between_two_events_is_followed_by_one_that_tells_each_once(
    world: OperatorWorld, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with monkeypatch.context() as patched:
        append, reached = EventFile.append, []

        def killed(self: EventFile, event: dict[str, Any]) -> None:
            if event["event"] == kind:
                reached.append(kind)
                raise asyncio.CancelledError
            append(self, event)

        patched.setattr(EventFile, "append", killed)
        with world.operator():
            name = world.ask("publish")
            eventually(lambda: reached, "it comes to that event")
    _goes_on(world, name, kind)


def _goes_on(world: OperatorWorld, name: str, step: str) -> None:
    with world.operator():
        status = world.until(name, "Succeeded", "Failed", "Lost")
    events = world.events_of(name)
    assert status["phase"] == "Succeeded", (step, status)
    assert status["publishedBytes"] > 0, step
    assert kinds(events).count("published") == 1, step
    assert kinds(events)[-2:] == ["published", "closed"], step
    assert names(events) == list(range(1, len(events) + 1)), step


def _hang(patched: pytest.MonkeyPatch, kind: type, method: str, hangs: Any) -> list[str]:
    reached: list[str] = []
    real = getattr(kind, method)

    def call(self: Any, *arguments: Any) -> Any:
        if not hangs(*arguments):
            return real(self, *arguments)
        reached.append(method)
        return _never() if method == "events" else asyncio.Event().wait()

    patched.setattr(kind, method, call)
    return reached


async def _never() -> Any:
    await asyncio.Event().wait()
    yield


def test_a_run_that_is_stopped_while_it_publishes_publishes_all_of_it(
    world: OperatorWorld, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = [], asyncio.Event()
    publish = RunPublisher.publish

    async def slow(self: RunPublisher, *given: Any) -> dict[str, Any]:
        asked.append(given)
        await go_on.wait()
        return await publish(self, *given)

    monkeypatch.setattr(RunPublisher, "publish", slow)
    with world.operator() as operator:
        name = world.ask("publish")
        eventually(lambda: asked, "it publishes")
        world.stop(name)
        uid = world.run(name)["metadata"]["uid"]

        def is_seen() -> bool:
            run = operator.run_state(uid)
            return bool(run and run.spec and run.spec.stop.requested)

        eventually(is_seen, "it is seen")
        assert world.loop
        world.loop.call_soon_threadsafe(go_on.set)
        status = world.until(name, "Succeeded", "Stopped", "Failed")
    assert status["phase"] == "Succeeded"
    assert (storage / status["worker"]["name"] / "index.html").is_file()
