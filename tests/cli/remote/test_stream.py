"""A run's events come once each and in their order, though the connection is cut at every one of them."""

import json
import os
import signal
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster
from cli.remote.errors import ProxyAwayError, ProxyRefusedError
from cli.remote.interrupts import Interrupted, Interrupts
from cli.remote.stream import ResumedEvents
from cluster.operator.model import Phase
from tests.support.serving import Reply, Request, serving

EVENTS = [{"event": "log", "pipeline": "./a", "line": f"line {number}", "number": number} for number in range(1, 9)]
RUNNING, ENDED = {"event": "run", "phase": "Running"}, {"event": "run", "phase": "Succeeded"}


def body(after: int) -> list[bytes]:
    """The lines of a stream of a run that has ended."""
    return [json.dumps(line).encode() + b"\n" for line in (RUNNING, *EVENTS[after:], ENDED)]


def followed(answer: Callable[[Request], Reply]) -> tuple[list[int], list[Phase], list[str]]:
    """Follow a run; return the numbers of its events, its phases, and what a person was told."""
    numbers: list[int] = []
    phases: list[Phase] = []
    notes: list[str] = []
    with serving(answer) as address:
        cluster = NamedCluster("office", f"http://{address}")
        with ProxyClient(cluster, "t", notes.append) as proxy, Interrupts() as interrupts:
            stream = ResumedEvents(proxy, "run-1", notes.append, interrupts)
            end = stream.follow(
                lambda event: numbers.append(event["number"]), lambda state: phases.append(state.phase), lambda: None
            )
    assert end.phase is Phase.SUCCEEDED
    return numbers, phases, notes


def after_of(request: Request) -> int:
    return int(parse_qs(urlsplit(request.path).query)["after"][0])


@pytest.mark.parametrize("rest", [b"", b'{"event": "log", "numb'])
@pytest.mark.parametrize("is_whole", [True, False])
def test_the_connection_is_cut_at_each_event(rest: bytes, is_whole: bool) -> None:
    """The answer ends after one event, or in the middle of the next; as one that is whole, or too soon."""
    asked: list[int] = []

    def answer(request: Request) -> Reply:
        asked.append(after_of(request))
        lines = body(asked[-1])
        if len(lines) == 2:  # no event is left
            return Reply(200, {}, b"".join(lines))
        content = b"".join(lines[:2]) + rest
        return Reply(200, {} if is_whole else {"Content-Length": str(len(content) + 1)}, content)

    numbers, phases, notes = followed(answer)
    assert numbers == list(range(1, 9))
    assert asked == list(range(9))
    assert phases[-1] is Phase.SUCCEEDED
    assert notes == []


def test_events_that_come_twice_are_shown_once_and_silence_is_no_event() -> None:
    lines = body(0)
    assert followed(lambda _: Reply(200, {}, b"\n\n".join([*lines[:3], *lines]) + b"\n"))[0] == list(range(1, 9))


def test_a_proxy_that_is_away_for_long_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.remote.stream.SILENT_SECONDS", 0.0)
    tries: list[int] = []

    def answer(request: Request) -> Reply:
        tries.append(after_of(request))
        if 1 < len(tries) < 4:
            return Reply(503, {}, b'{"error": "the operator is away", "code": "away", "hint": ""}')
        return Reply(200, {}, b"".join(body(tries[-1])[: 4 if len(tries) == 1 else None]))

    numbers, _, notes = followed(answer)
    assert numbers == list(range(1, 9))
    assert notes == [
        "The cluster office does not answer; the run goes on, and dppctl tries again",
        "The cluster office answers again",
    ]


def test_it_gives_up_after_long_and_at_once_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.remote.stream.GIVE_UP_SECONDS", 0.2)
    with pytest.raises(ProxyAwayError, match="the cluster office answers 502 Bad Gateway"):
        followed(lambda _: Reply(502, {}, b"<html>"))
    gone = Reply(404, {}, b'{"error": "there is no run run-1", "code": "no-such-run", "hint": ""}')
    with pytest.raises(ProxyRefusedError, match="there is no run run-1"):
        followed(lambda _: gone)


def test_a_signal_ends_what_waits_and_nothing_else() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)  # while there is something to do
        with pytest.raises(Interrupted), interrupts.waiting():
            pytest.fail("it is raised at once")
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        with pytest.raises(Interrupted), interrupts.waiting():
            threading.Event().wait(20)
        timer.join()
    assert interrupts.number == signal.SIGINT
