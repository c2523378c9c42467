"""A run's events from the proxy, each once and in their order, however often the connection is lost."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import tenacity
import urllib3

from cli.remote.client import ProxyClient
from cli.remote.errors import ProxyAwayError, ProxyRefusedError
from cli.remote.interrupts import Interrupts
from cli.remote.limits import CHUNK_BYTES, GIVE_UP_SECONDS, RETRY_WAIT_SECONDS, SILENT_SECONDS
from cluster.runs_api import RunEvent

Event = dict[str, Any]
_SILENCE: Event = {"event": "silence"}  # an empty line


class _LostError(ProxyAwayError):
    """The connection ended before the run did."""


class ResumedEvents:
    """Follows one run; after an interruption `follow` goes on where it was."""

    def __init__(self, proxy: ProxyClient, name: str, note: Callable[[str], None], interrupts: Interrupts) -> None:
        """`note` gets a line when the connection is lost for long, and when it is back."""
        self._proxy, self._name, self._note, self._interrupts = proxy, name, note, interrupts
        self._after = 0
        self._lost: float | None = None  # since when there is no connection
        self._is_told = False

    def follow(
        self, take: Callable[[Event], None], see: Callable[[RunEvent], None], idle: Callable[[], None]
    ) -> RunEvent:
        """Give the worker's events to `take` and the run's states to `see`; return the last state.

        `idle` is called now and then while nothing comes.

        Raises Interrupted, ProxyRefusedError, and ProxyAwayError when there was no connection for long.
        """
        first, most = RETRY_WAIT_SECONDS
        while True:
            try:
                return tenacity.Retrying(
                    retry=tenacity.retry_if_exception_type(ProxyAwayError),
                    wait=tenacity.wait_exponential_jitter(multiplier=first, max=most, jitter=first),
                    stop=lambda _: self._since_lost() > GIVE_UP_SECONDS,
                    before_sleep=lambda _: self._tell(),
                    sleep=self._sleep,
                    reraise=True,
                )(lambda: self._read(take, see, idle))
            except _ProgressedError:
                self._tell()

    def _read(
        self, take: Callable[[Event], None], see: Callable[[RunEvent], None], idle: Callable[[], None]
    ) -> RunEvent:
        """Read one connection to its end; raise unless that is the run's."""
        after, last = self._after, None
        try:
            for event in self._events():
                self._found()
                if event is _SILENCE:
                    idle()
                elif event.get("event") == "run":
                    last = RunEvent.model_validate(event)
                    see(last)
                elif (number := event.get("number")) is None:
                    take(event)
                elif number > self._after:
                    self._after = number
                    take(event)
        except ProxyAwayError:
            if self._after > after:
                raise _ProgressedError from None
            raise
        if last is not None and last.phase.has_ended:
            return last
        if self._after > after:
            raise _ProgressedError
        raise _LostError(f"the connection with the cluster {self._proxy.cluster.name} broke off")

    def _events(self) -> Iterator[Event]:
        with self._interrupts.waiting():
            try:
                opened = self._proxy.events(self._name, self._after)
                answer = opened.__enter__()
            except ProxyRefusedError as error:
                if error.code == "no-events":  # of a run that the operator has not seen yet
                    raise ProxyAwayError(str(error)) from None
                raise
        try:
            begun: list[bytes] = []  # of a line
            while True:
                with self._interrupts.waiting():
                    piece = answer.raw.read1(CHUNK_BYTES)
                if not piece:
                    return  # half a line is not taken: it comes again
                *whole, rest = piece.split(b"\n")
                for line in whole:
                    content, begun = b"".join([*begun, line]), []
                    yield json.loads(content) if content else _SILENCE
                begun.append(rest)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise _LostError(f"the connection with the cluster {self._proxy.cluster.name} broke off: {error}") from None
        finally:
            answer.close()

    def _sleep(self, seconds: float) -> None:
        with self._interrupts.waiting():
            time.sleep(seconds)

    def _since_lost(self) -> float:
        self._lost = self._lost or time.monotonic()
        return time.monotonic() - self._lost

    def _tell(self) -> None:
        if self._since_lost() > SILENT_SECONDS and not self._is_told:
            self._is_told = True
            self._note(
                f"The cluster {self._proxy.cluster.name} does not answer; the run goes on, and dppctl tries again"
            )

    def _found(self) -> None:
        self._lost = None
        if self._is_told:
            self._is_told = False
            self._note(f"The cluster {self._proxy.cluster.name} answers again")


class _ProgressedError(Exception):
    """The connection ended after new events: the next tries are to begin at once."""
