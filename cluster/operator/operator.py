"""The operator: sees, decides, does, until it is ended. What it did not come to do is decided again after its start."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import aiohttp

from bot.errors import DppctlError
from bot.logs import get_logger
from cluster.limits import OPERATOR_BROKEN_SECONDS, OPERATOR_LIST_SECONDS, OPERATOR_STUCK_SECONDS
from cluster.operator.api import OperatorApi
from cluster.operator.databases import access_to, engine_of
from cluster.operator.decide import (
    Claim,
    Decision,
    FollowRun,
    ReleaseWorker,
    RemovePod,
    RemoveRun,
    WriteStatus,
    decide,
)
from cluster.operator.event_files import EventFiles
from cluster.operator.metrics import OperatorCounts, OperatorMetrics
from cluster.operator.model import Phase
from cluster.operator.pool_deployer import PoolDeployer
from cluster.operator.pools import DeployPool, PoolDecision, RemovePool, decide_pools
from cluster.operator.publishing import PublisherAddress, PublishingWorker, RunPublisher
from cluster.operator.run_task import HandOver, Publish, RunTask, time_text
from cluster.operator.scheduled_runs import StartRun, decide_schedules
from cluster.operator.seen_objects import PODS, POOLS, RUNS, SeenObjects
from cluster.operator.state import OperatorState, PoolPod, RunState
from cluster.operator.watching import watch
from cluster.operator.workers import PORT, WorkerClient, token_of
from cluster.operator.workload_store import WorkloadStore

_log = get_logger("dppctl.operator")


class Operator:
    """Hands runs of one namespace to workers."""

    def __init__(
        self,
        api: OperatorApi,
        key: bytes,
        workloads: WorkloadStore,
        events: EventFiles,
        port: int = PORT,
        pools: PoolDeployer | None = None,
        publisher: PublisherAddress | None = None,
    ) -> None:
        """Take the pools' key, the workloads, the files of the runs' events, the port of workers, what makes pools.

        publisher: None: what runs write is published nowhere.
        """
        self._publisher = publisher
        self._pools = pools
        self._api, self._key, self._workloads, self.events, self._port = api, key, workloads, events, port
        self._objects = SeenObjects(events.tell)
        self._counts = OperatorCounts()
        self._tasks: dict[str, tuple[RunTask, asyncio.Task[None]]] = {}
        self._writing: set[asyncio.Task[None]] = set()  # statuses
        self._taken: set[str] = set()
        self._woken = asyncio.Event()
        self._stop = asyncio.Event()
        self._started = time.time()
        self._listed: float | None = None  # when all was listed last
        self._failure = ""
        self._ended_round = time.monotonic()  # when a round ended last

    def run_state(self, uid: str) -> RunState | None:
        """Return how a run stands; None: there is none."""
        return self._objects.run(uid)

    @property
    def has_listed(self) -> bool:
        """Return whether all that was there at the start is known."""
        return self._listed is not None

    def database(self, uid: str) -> dict[str, str | int] | None:
        """Return how the database of a run is reached, with its password; None: it has none, or not any more."""
        pod = self._objects.database_of(uid)
        return access_to(self._key, pod) if pod else None

    def problem(self) -> str | None:
        """Return what keeps it from working, in a line."""
        if self._listed is None:
            return f"runs, pods and pools could not be listed yet{self._failure}"
        still = time.monotonic() - min(self._ended_round, self._listed + OPERATOR_LIST_SECONDS)
        return f"no round has ended for {still:.0f} seconds" if still > OPERATOR_STUCK_SECONDS else None

    def metrics(self) -> OperatorMetrics:
        """Return what collects its metrics."""
        return OperatorMetrics(self._counts, self.events, self._state, lambda: time.monotonic() - (self._listed or 0.0))

    def stop(self) -> None:
        """End it; runs go on, and the next one follows them."""
        self._stop.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`, or until the watch breaks, which is raised."""
        async with aiohttp.ClientSession() as self._session:
            watching = asyncio.create_task(watch(self._api.namespace, self._objects, self._woken.set, self._stop))
            rounds = asyncio.create_task(self._rounds())
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait([watching, rounds, stopping], return_when=asyncio.FIRST_COMPLETED)
                for ended in (each for each in (watching, rounds) if each.done()):
                    ended.result()
            finally:
                self.stop()
                tasks = [watching, rounds, stopping, *(task for _, task in self._tasks.values()), *self._writing]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _rounds(self) -> None:
        due = 0.0
        while not self._stop.is_set():
            try:
                if time.monotonic() >= due:
                    await self._list()
                    due = time.monotonic() + OPERATOR_LIST_SECONDS
                await self._round()
            except DppctlError as error:
                self._failure = f": {error}"
                _log.warning("round failed", error=error)
                await asyncio.sleep(1.0)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(0.0, due - time.monotonic()))
            self._woken.clear()

    async def _list(self) -> None:
        for kind in (RUNS, PODS, POOLS):
            before = self._objects.clock
            self._objects.see_all(kind, await self._api.list(kind), before)
        self._taken.clear()
        self._listed = time.monotonic()
        await asyncio.to_thread(self._remove_files, self._state().runs)

    def _remove_files(self, runs: Iterable[RunState]) -> None:
        """Remove what runs left that are not there any more."""
        try:
            self.events.remove_others({run.uid for run in runs})
            self._workloads.remove_unused({run.spec.workload.sha256 for run in runs if run.spec and run.spec.workload})
        except OSError as error:
            _log.warning("old files not removed", error=error)

    def _state(self) -> OperatorState:
        return self._objects.state(time.time(), frozenset(self._tasks), frozenset(self._taken))

    async def _round(self) -> None:
        self._end_tasks()
        state = self._state()
        pools = decide_pools(state, *((self._pools.policy, self._pools.work) if self._pools else ()))
        decisions = (*decide(state), *pools, *decide_schedules(state))
        await asyncio.gather(*(self._done(decision) for decision in decisions))
        self._ended_round = time.monotonic()

    def _end_tasks(self) -> None:
        """Forget tasks that ended, and end those whose worker is gone; tell the others what their runs say now."""
        for uid, (task, running) in list(self._tasks.items()):
            pod, run = self._objects.pod(task.pod.uid), self._objects.run(uid)
            if running.done() or pod is None or pod.end or pod.run != uid or run is None or run.phase.has_ended:
                running.cancel()
                del self._tasks[uid]
            elif run.spec:
                task.update(run.spec)

    async def _done(self, decision: Decision | PoolDecision | StartRun) -> None:
        """Do what was decided. An error of one holds up no other; it is decided again."""
        try:
            await self._apply(decision)
        except DppctlError as error:
            _log.warning("not done", decision=type(decision).__name__, error=error)

    async def _apply(self, decision: Decision | PoolDecision | StartRun) -> None:
        match decision:
            case Claim(run, pod, database):
                await self._claim(run, [database, pod] if database else [pod])
            case FollowRun(run, pod, database):
                self._attend(run, pod, database)
            case WriteStatus():
                await self._tell(decision)
            case ReleaseWorker(pod):
                if found := await self._api.release(pod):
                    self._objects.see(PODS, found)
            case RemovePod(pod):
                await self._api.remove_pod(pod)
            case RemoveRun(run):
                await self._api.remove_run(run)
            case _:
                await self._make(decision)

    async def _make(self, decision: StartRun | DeployPool | RemovePool) -> None:
        if isinstance(decision, StartRun):
            await self._api.create_run(decision.name, decision.spec)
        elif self._pools:
            self._pools.apply(decision, self._woken.set)

    async def _claim(self, run: RunState, pods: Iterable[PoolPod]) -> None:
        """Give pods to a run, one after the other; the last one is its worker."""
        for pod in pods:
            if (found := await self._api.claim(run, pod)) is None:
                self._taken.add(pod.uid)
                self._counts.refused_claims += 1
                break
            self._objects.see(PODS, found)
        else:
            # Kubernetes tells whole seconds: exacter is when a run was seen, if that was not at our own start.
            is_new = run.created > self._started
            waited = self._objects.seconds_seen(run.uid) if is_new else time.time() - run.created
            self._counts.assign_seconds.observe(waited)
        self._woken.set()

    async def _tell(self, told: WriteStatus) -> None:
        status = {"phase": told.phase, "reason": told.reason, "message": told.message or None}
        if told.phase.has_ended:
            status["finishedAt"] = time_text(time.time())
        await self._write(told.run, {**status, "queuePosition": told.queue_position})

    def _attend(self, run: RunState, pod: PoolPod, database: PoolPod | None) -> None:
        assert run.spec is not None  # noqa: S101 (decide gives no worker to a run that cannot be read)
        address, token = f"{pod.address}:{self._port}", token_of(self._key, pod.uid)
        worker = WorkerClient(self._session, address, token)
        events = self.events.open(run.uid)
        workload = self._workloads.path(run.spec.workload.sha256) if run.spec.workload else None
        environment = {"DPP_DB_ENGINE": engine_of(self._key, database)} if database else {}
        handed = HandOver(workload, environment)
        publish = self._publish(run, PublishingWorker(pod, address, token))
        task = RunTask(run, pod, worker, handed, events, lambda status: self._write(run, status), publish)
        self._tasks[run.uid] = task, asyncio.create_task(self._follow(run, task, database))

    def _publish(self, run: RunState, worker: PublishingWorker) -> Publish | None:
        """Return what publishes what a run wrote; None: that of this run is not published."""
        if self._publisher is None or run.spec is None:
            return None
        publisher = RunPublisher(self._session, self._publisher)
        if not publisher.publishes(run.spec):
            return None
        return lambda written: publisher.publish(run, worker, written)

    async def _follow(self, run: RunState, task: RunTask, database: PoolPod | None) -> None:
        pods = {"worker": task.pod, **({"database": database} if database else {})}
        where = {name: {"name": pod.name, "uid": pod.uid} for name, pod in pods.items()}
        try:
            if run.phase is Phase.PENDING:
                nothing = dict.fromkeys(("queuePosition", "reason", "message"))
                assigned = {"assignedAt": time_text(time.time())}  # from which on its worker is counted
                await self._write(run, {"phase": Phase.ASSIGNED, **assigned, **nothing, **where})
            await task.execute()
        except DppctlError as error:  # of Kubernetes' API; the run is attended again
            _log.warning("run left", run=run.name, error=error)
            await asyncio.sleep(1.0)
        except Exception:  # noqa: BLE001 (a mistake of ours)
            _log.exception("run broke", run=run.name)
            await asyncio.sleep(OPERATOR_BROKEN_SECONDS)
        finally:
            self._woken.set()

    async def _write(self, run: RunState, status: dict[str, Any]) -> None:
        """Write a run's status, also when the run's task is ended meanwhile, as the watch may show the end sooner."""
        writing = asyncio.create_task(self._write_whole(run, status))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.shield(writing)

    async def _write_whole(self, run: RunState, status: dict[str, Any]) -> None:
        ends = "phase" in status and Phase(status["phase"]).has_ended
        if ends and run.spec and self._objects.database_of(run.uid):
            expires = {"expiresAt": time_text(time.time() + run.spec.keep_seconds)}
            status = {**status, "database": expires}
        if found := await self._api.write_status(run, status):
            if ends:
                self._counts.outcomes[status["phase"]] += 1
                _log.info("run ended", run=run.name, phase=status["phase"], reason=status.get("reason"))
            self._objects.see(RUNS, found)
        else:
            self._objects.forget(RUNS, run.uid)
