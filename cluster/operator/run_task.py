"""One run on its worker: handed over, followed to its end, wherever the operator before this one was ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.logs import get_logger
from cluster.errors import ClusterError
from cluster.limits import (
    HAND_OVER_SECONDS,
    MAX_STATUS_MESSAGE,
    MAX_STATUS_PIPELINES,
    MAX_TOLD_EVENTS,
    STATUS_SECONDS,
    WORKER_RETRY_SECONDS,
)
from cluster.operator.event_files import EventFile, TooManyEventsError
from cluster.operator.model import Phase, Reason, RunSpec, Stop
from cluster.operator.publishing import PublicationFailedError
from cluster.operator.state import PoolPod, RunState
from cluster.operator.workers import WorkerAwayError, WorkerClient, WorkerRefusedError
from cluster.storage.written import WrittenItems
from cluster.worker_events import MAX_NUMBER, WorkerEventError

_log = get_logger("dppctl.operator")
StatusWriter = Callable[[dict[str, Any]], Awaitable[None]]
Publish = Callable[[WrittenItems], Awaitable[dict[str, Any]]]  # raises PublicationFailedError


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    phase: Phase
    reason: Reason | None = None
    message: str = ""

    def with_failure(self, publication: str) -> "RunEnd":
        """Return the end of a run of which nothing is published; `publication`: why, or "" if it is."""
        if not publication:
            return self
        if self.phase is Phase.SUCCEEDED:
            return RunEnd(Phase.FAILED, Reason.PUBLISH_FAILED, publication)
        return RunEnd(self.phase, self.reason, "; ".join(filter(None, (self.message, publication))))


@dataclass(frozen=True)
class HandOver:
    """What a worker is given: the file of the workload, and variables for the pipelines, which may be secret."""

    workload: Path | None  # None: the files of its image
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class RunPublication:
    """What is known of what a run publishes."""

    written: dict[str, Any] | None = None  # the worker's event
    has_ended: bool = False  # an event of ours tells how
    bytes: int = 0  # that were published
    failure: str = ""  # why nothing is


class RunTask:
    """Follows one run; `execute` tells its status all the while, and in the end how it ended."""

    def __init__(
        self,
        run: RunState,
        pod: PoolPod,
        worker: WorkerClient,
        handed: HandOver,
        events: EventFile,
        tell: StatusWriter,
        publish: Publish | None = None,
    ) -> None:
        """Take what the worker is given, the file of the run's events, and what writes into the run's status.

        publish: publishes what it wrote; None: nothing is published.
        """
        assert run.spec is not None  # noqa: S101 (decide gives no worker to a run that cannot be read)
        self.pod = pod
        self._run, self._spec, self._worker = run, run.spec, worker
        self._handed = handed
        self._events, self._tell, self._publish = events, tell, publish
        self._publication = RunPublication()
        self._is_over = False  # its pipelines have ended
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._told = 0.0
        self._rows: dict[str, int] = {}
        self._end: RunEnd | None = None
        self.update(run.spec)

    def update(self, spec: RunSpec) -> None:
        """Take note of what the run's spec says now: somebody may have asked for its end."""
        if spec.stop.requested and self._stop is None:
            self._request_stop(spec.stop)

    async def execute(self) -> None:
        """Follow the run, and tell its end."""
        left = self._spec.timeout_seconds - (time.time() - self._run.started if self._run.started else 0.0)
        late = asyncio.get_running_loop().call_later(left, self._request_stop, Stop(requested=True, reason="TimeLimit"))
        stopper = asyncio.create_task(self._stop_when_asked())
        try:
            kept = await asyncio.to_thread(self._events.events)  # which the operator before this one read
            end = next(filter(None, map(self._note, kept)), None) or await self._to_its_end()
        except WorkerRefusedError as error:
            end = RunEnd(Phase.FAILED, Reason.HANDOVER_FAILED, str(error))
        except (WorkerEventError, TooManyEventsError) as error:
            end = RunEnd(Phase.FAILED, Reason.WORKER_GONE, str(error))
        finally:
            late.cancel()
            stopper.cancel()
        if self._stop is not None and end.phase is not Phase.SUCCEEDED:
            end = RunEnd(Phase.STOPPED, Reason(self._stop.reason), message_of(self._stop))
        end = end.with_failure(self._publication.failure)
        await self._tell(
            {
                "phase": end.phase,
                "reason": end.reason,
                "message": end.message[:MAX_STATUS_MESSAGE] or None,
                "finishedAt": time_text(time.time()),
                **self._counts(),
            }
        )

    async def _to_its_end(self) -> RunEnd:
        loop = asyncio.get_running_loop()
        until = loop.time() + HAND_OVER_SECONDS
        was_running = self._run.phase is Phase.RUNNING
        while True:
            try:
                state, run = await self._worker.health()
                if state == "waiting" and was_running:
                    return RunEnd(Phase.LOST, Reason.WORKER_GONE, f"worker {self.pod.name} began anew; run it again")
                if state == "waiting" or (state == "ended" and run != self._run.uid):
                    await self._hand_over()
                elif run != self._run.uid:
                    return RunEnd(Phase.LOST, Reason.WORKER_GONE, f"worker {self.pod.name} has another run")
                if not was_running:
                    was_running = True
                    await self._tell(
                        {"phase": Phase.RUNNING, "reason": None, "startedAt": time_text(time.time()), **self._where()}
                    )
                if (end := await self._follow()) is not None:
                    return end
            except WorkerAwayError as error:
                if not was_running and loop.time() > until:
                    return RunEnd(Phase.FAILED, Reason.HANDOVER_FAILED, str(error))
                _log.warning("worker away", run=self._run.name, worker=self.pod.name, error=error)
            await asyncio.sleep(WORKER_RETRY_SECONDS)

    async def _hand_over(self) -> None:
        if self._stop is not None:
            raise WorkerRefusedError("it was stopped before it began")
        try:
            if self._handed.workload:
                await self._worker.put_workload(self._handed.workload)
            else:
                await self._worker.take_image_files()
        except FileNotFoundError:
            raise WorkerRefusedError("its workload is not here any more; run it again") from None
        request = {"pipelines": list(self._spec.pipelines), "concurrency": self._spec.concurrency}
        await self._worker.start(self._run.uid, {**request, "environment": dict(self._handed.environment)})

    async def _follow(self) -> RunEnd | None:
        """Read events until there are no more; return the run's end, or None when the connection ended sooner."""
        own = int(self._publication.has_ended)  # events of ours, which are numbered with the worker's
        async for event in self._worker.events(self._events.last - own):
            if event.get("event") == "closed" and not own:
                own = await self._publish_written(event)
            if own and "number" in event:
                event["number"] += own
            self._events.append(event)
            if (end := self._note(event)) is not None:
                return end
            if event.get("event") == "progress":
                await self._tell_rows()
        return None

    async def _publish_written(self, closed: dict[str, Any]) -> int:
        """Publish what was written, and tell how that ended, in the place of the worker's last event; return 1 if so.

        The pipelines have ended, so their time limit holds no more, and nobody stops this: it is whole, or not at all.
        """
        self._is_over = True
        if self._publish is None or self._publication.written is None:
            return 0
        told: dict[str, Any]
        try:
            written = WrittenItems.read(self._publication.written)
            if not written.items:
                return 0
            found = await self._publish(written)
            told = {"event": "kept" if self._spec.publish == "relay" else "published", **found}
        except (PublicationFailedError, ClusterError) as error:
            told = {"event": "not_published", "message": str(error)[:MAX_STATUS_MESSAGE]}
            _log.warning("not published", run=self._run.name, error=error)
        told |= {"time": time_text(time.time()), "number": closed.get("number", self._events.last + 1)}
        self._events.append(told)
        self._note(told)
        return 1

    def _note(self, event: dict[str, Any]) -> RunEnd | None:
        """Take note of an event; return the run's end when it is the last one."""
        match event.get("event"):
            case "progress":
                self._rows[event["pipeline"]] = event["rows"]
                if len(self._rows) > MAX_TOLD_EVENTS:
                    raise WorkerEventError(f"the worker tells of more than {MAX_TOLD_EVENTS:,} pipelines")
            case "invalid":
                errors = [f"{error['where']}: {error['message']}" for error in event["errors"]]
                self._end = RunEnd(Phase.FAILED, Reason.INVALID, "; ".join(errors))
            case "written":
                self._publication.written = event
            case "published":
                self._publication.has_ended, self._publication.bytes = True, event["bytes"]
            case "kept":  # for who publishes it elsewhere, where it counts
                self._publication.has_ended = True
            case "not_published":
                self._publication.has_ended, self._publication.failure = True, event["message"]
            case "ended":
                self._end = self._end_of(event["receipt"])
            case "closed":
                return self._end or RunEnd(Phase.FAILED, Reason.WORKER_GONE, "the worker told no end")
        return None

    def _end_of(self, receipt: dict[str, Any]) -> RunEnd:
        self._rows = {
            each["id"]: each["rows"] or 0 for each in receipt["pipelines"]
        }  # progress comes late, and is left out
        if receipt["status"] == "succeeded":
            return RunEnd(Phase.SUCCEEDED)
        if receipt["status"] == "stopped":
            # Whoever asks for a run's end does it here. The worker was told to end by the kubelet.
            return RunEnd(Phase.LOST, Reason.WORKER_GONE, f"worker {self.pod.name} was ended; run it again")
        failed = next((each for each in receipt["pipelines"] if each["status"] == "failed"), None)
        why = f"{failed['id']} failed: {(failed.get('error') or '').partition(chr(10))[0]}" if failed else ""
        return RunEnd(Phase.FAILED, Reason.PIPELINE_FAILED, why)

    async def _tell_rows(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told > STATUS_SECONDS:
            self._told = now
            await self._tell(self._counts())

    def _counts(self) -> dict[str, Any]:
        pipelines = [{"id": name, "rows": rows} for name, rows in self._rows.items()]
        return {
            "pipelines": pipelines[:MAX_STATUS_PIPELINES],
            "rows": min(sum(self._rows.values()), MAX_NUMBER),
            "lastEvent": self._events.last,
            **({"publishedBytes": self._publication.bytes} if self._publication.bytes else {}),
        }

    def _where(self) -> dict[str, Any]:
        return {"worker": {"name": self.pod.name, "uid": self.pod.uid}, "queuePosition": None}

    def _request_stop(self, stop: Stop) -> None:
        if self._is_over:
            return
        self._stop = stop
        self._stopping.set()

    async def _stop_when_asked(self) -> None:
        await self._stopping.wait()
        while True:
            with suppress(WorkerAwayError, WorkerRefusedError):
                await self._worker.stop()
            await asyncio.sleep(WORKER_RETRY_SECONDS)


def message_of(stop: Stop) -> str:
    """Return why a run was stopped: what is said there, else who asked for it."""
    return stop.message or f"it was stopped{f' by {stop.by}' if stop.by else ''}"


def time_text(seconds: float) -> str:
    """Return a time, in seconds since 1970, as Kubernetes writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
