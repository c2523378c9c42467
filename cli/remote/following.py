"""What a run's stream means for the person: the same report as of a run on this machine, and the exit code."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.errors import InputError
from cli.remote.client import ProxyClient
from cli.remote.errors import ProxyAwayError, ProxyRefusedError
from cli.remote.interrupts import Interrupts
from cli.remote.limits import NEVER_READY_SECONDS, WAITING_SECONDS
from cli.remote.relay import Published, Relay
from cli.remote.stream import ResumedEvents
from cli.run.report import RunReport
from cluster.errors import ClusterError
from cluster.local import durations
from cluster.local.databases.database import RunDatabase
from cluster.operator.model import Phase, Reason
from cluster.runs_api import DatabaseAccess, PodInfo, RunEvent, RunInfo
from cluster.storage.written import WrittenItems


class RunFollower:
    """Reports one run; `follow` may be called again after an interruption."""

    def __init__(
        self,
        proxy: ProxyClient,
        run: RunInfo,
        report: RunReport,
        interrupts: Interrupts,
        keep: float,
        relay: Relay | None = None,
        workload: Path | None = None,
    ) -> None:
        """Take the run, and what reports it.

        keep: seconds that its database stays, 0 when it has none or is not known; relay: publishes elsewhere what it
        wrote; workload: its folder, if that is here.
        """
        self._workload = workload
        self._relay, self._worker = relay, ""
        self._published: list[Published] = []
        self._kept: int | None = None  # bytes that are to be published elsewhere
        self._proxy, self._run, self._report, self._keep = proxy, run, report, keep
        self._stream = ResumedEvents(proxy, run.name, report.note, interrupts)
        self._since = time.monotonic()
        self._waiting: tuple[int | None, str | None] | None = None  # the place that was told, and why
        self._is_assigned = self._is_invalid = self._is_told_of_pods = False
        self._receipt: dict[str, Any] | None = None
        self._notice: str | None = None  # that was told

    def follow(self) -> int:
        """Report what comes to the run's end, and return the exit code.

        Raises ClusterError for a run that ended without a receipt, and what ResumedEvents raises.
        """
        end = self._stream.follow(self._take, self._see, self._look_at_pool)
        is_published = self._publish_elsewhere()
        if self._receipt is not None:
            keep = durations.spoken(self._keep) if self._keep else None
            self._report.resources(self._receipt, self._workload)
            self._report.ended(self._receipt, self._published, keep, "Public")
            if end.message and end.phase not in (Phase.SUCCEEDED, Phase.FAILED):
                self._report.warn(f"dppctl: {self._run.name}: {end.message}")
        elif end.reason == Reason.USAGE_LIMIT:
            self._report.warn(f"dppctl: {self._run.name}: {end.message or end.reason}")
            return 1
        elif not (self._is_invalid and end.reason == Reason.INVALID):
            raise ClusterError(f"{self._run.name}: {end.message or end.reason or end.phase}")
        return 2 if self._receipt is None else int(end.phase is not Phase.SUCCEEDED or not is_published)

    def _publish_elsewhere(self) -> bool:
        """Publish on another cluster what the run wrote; return whether all is published that was to be."""
        if self._kept is None or self._relay is None:
            return True
        try:
            self._published = self._relay.publish(self._run.name, self._worker, self._kept)
        except (InputError, ProxyAwayError, ProxyRefusedError) as error:
            again = f"`dppctl publish {self._run.name}` tries again, within an hour"
            self._report.warn(f"dppctl: nothing is published: {error}; {again}")
            return False
        return True

    def _take(self, event: dict[str, Any]) -> None:
        """Report an event of the worker, without the number that only streams need."""
        shown = {name: value for name, value in event.items() if name != "number"}
        match event["event"]:
            case "ended":
                self._receipt = event["receipt"]
            case "closed":
                pass
            case "published":
                self._published = [(item["kind"], item["source"], item["url"]) for item in event["items"]]
            case "kept":
                self._kept = event["bytes"]
            case "not_published":
                self._report.warn(f"dppctl: {event['message']}")
            case "written":
                with suppress(ClusterError):  # somebody forged it, of which `not_published` tells
                    self._report.left_out(WrittenItems.read(event).left_out)
                self._report.event(shown)
            case kind:
                self._is_invalid |= kind == "invalid"
                self._report.event(shown)

    def _see(self, state: RunEvent) -> None:
        """Report where the run is: in the queue, or in which pods; and what the cluster has to say of it."""
        if state.notice and state.notice != self._notice:
            self._notice = state.notice
            self._report.note(f"dppctl: {self._run.name}: {state.notice}")
        self._worker = state.worker.name if state.worker else self._worker
        if state.phase is Phase.PENDING:
            self._see_waiting(state)
        elif state.worker is not None and not self._is_assigned and not state.phase.has_ended:
            self._is_assigned = True
            access = self._proxy.database(self._run.name) if state.database else None
            database = self._described(access, state.database.name) if access and state.database else None
            self._report.assigned(state.worker.name, state.database.name if state.database else None, database)

    def _see_waiting(self, state: RunEvent) -> None:
        why = None if state.reason == Reason.QUEUED else state.message
        if self._waiting is None:
            self._waiting = (None, None)
            self._report.waiting(None)
        is_long = time.monotonic() - self._since > WAITING_SECONDS or (state.queue_position or 0) > 1 or why
        if is_long and state.queue_position and self._waiting != (state.queue_position, why):
            self._waiting = (state.queue_position, why)
            self._report.waiting(state.queue_position, why or "")

    def _look_at_pool(self) -> None:
        """Tell once of a run that waits for pods that do not start, as their image may be missing."""
        if self._is_assigned or self._is_told_of_pods or time.monotonic() - self._since < NEVER_READY_SECONDS:
            return
        pods = [pod for pod in self._proxy.pods() if pod.pool == self._run.pool]
        starting = min((pod for pod in pods if pod.state == "starting"), key=lambda pod: pod.since, default=None)
        if starting and not any(pod.state == "available" for pod in pods):
            self._is_told_of_pods = True
            age = durations.short(age_of(starting))
            why = f"whoever runs the cluster sees why: kubectl describe pod {starting.name}"
            self._report.note(f"Pod {starting.name} of pool {self._run.pool} is not ready for {age}; {why}")

    def _described(self, access: DatabaseAccess, pod: str) -> RunDatabase:
        """Return the database as the report knows those of this machine."""
        web_ui = access.ui or None
        if web_ui and web_ui.startswith("/"):
            web_ui = f"{self._proxy.cluster.url}{web_ui}" if self._proxy.cluster.url else None
        return RunDatabase(
            "postgres",
            engine="",
            server="localhost" if web_ui else f"{access.host}:{access.port}",
            username=access.user,
            password=access.password,
            web_ui=web_ui,
            client=f"dppctl ssh {pod}",
        )


def age_of(pod: PodInfo) -> float:
    """Return for how many seconds a pod has been there."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(pod.since)).total_seconds())
