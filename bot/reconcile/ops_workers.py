"""The work on ops repos: serial for each of them, side by side for several. What waits for one is done together."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Event

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import TransientError
from bot.limits import MOST_WRITERS, STUCK_SECONDS, WRITER_SECONDS, WRITERS
from bot.reconcile.commit_statuses import CommitStatuses
from bot.reconcile.manual import ManualDeploys
from bot.reconcile.reconciler import Reconciler
from bot.reconcile.result import Results, Round
from bot.scheduler import Scheduler
from bot.store.tables import Delivery, DeployRequest


@dataclass
class Inbox:
    """What waits for an ops repo. statuses: of its commits. known: if others pushed, the repositories to look at."""

    rounds: list[Round] = field(default_factory=list)
    requests: list[DeployRequest] = field(default_factory=list)
    statuses: list[Delivery] = field(default_factory=list)
    known: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class EndedWork:
    """What was done for an ops repo; `error`: it broke, and is to be done again. results: by app repository."""

    ops: str
    inbox: Inbox
    results: Results
    error: BaseException | None


class OpsJob:
    """Does what waits for one ops repo."""

    def __init__(self, workers: "OpsWorkers", name: str, inbox: Inbox) -> None:
        self._workers = workers
        self._name = name
        self.inbox = inbox
        self.thread, self.since = 0, time.monotonic()

    def run(self) -> Results:
        """Do it; return how it went with each app repository. Raises TransientError when the store is away."""
        self.thread = threading.get_ident()
        try:
            return self._work()
        except SQLAlchemyError as error:
            raise TransientError(f"the store does not answer: {' '.join(str(error).split())[:300]}") from error

    def stop(self, *, superseded: bool) -> None:
        """Do nothing: the bot's own event says it, and its gits are ended."""

    def _work(self) -> Results:
        inbox, workers = self.inbox, self._workers
        if inbox.statuses and workers.statuses:
            workers.statuses.take(self._name, inbox.statuses)
        repositories = {found.repository for found in inbox.rounds}
        is_asked = any(found.is_asked for found in inbox.rounds)
        if inbox.known and workers.reconciler.re_read(self._name):
            repositories |= inbox.known
        results: Results = {}
        if repositories:
            ids = {found.repository: found.ids for found in inbox.rounds}
            results = workers.reconciler.reconcile(self._name, repositories, ids, is_asked=is_asked)
        for request in inbox.requests:
            if not workers.stop.is_set():
                workers.manual.deploy(request)
        return results


class OpsWorkers:
    """What waits for each ops repo, and what runs. One thread uses it; each job has one of its own."""

    def __init__(
        self,
        reconciler: Reconciler,
        manual: ManualDeploys,
        statuses: CommitStatuses | None,
        stop: Event,
        on_end: Callable[[], None],
    ) -> None:
        """Take what does the work; `on_end` is called, in another thread, when there is something to collect."""
        self.reconciler, self.manual, self.statuses, self.stop = reconciler, manual, statuses, stop
        self._inboxes: dict[str, Inbox] = {}
        self._scheduler: Scheduler[str, OpsJob] = Scheduler(
            stop, lambda _: on_end(), WRITERS, patience=WRITER_SECONDS, most=MOST_WRITERS
        )

    def inbox(self, name: str) -> Inbox:
        """Return what the next job of an ops repo will do, to be added to."""
        return self._inboxes.setdefault(name, Inbox())

    def is_idle(self, names: Iterable[str] | None = None) -> bool:
        """Return whether nothing waits for these ops repos (None: for any), and nothing is done."""
        if names is None:
            return not self._inboxes and not len(self._scheduler)
        return not any(name in self._inboxes or self._scheduler.running(name) for name in names)

    def stuck(self, active: Mapping[int, float]) -> list[str]:
        """Return the ops repos where nothing has happened for STUCK_SECONDS. Any thread may ask.

        active: by thread, when a git in it did something last, by the monotonic clock.
        """
        since = time.monotonic() - STUCK_SECONDS
        running = self._scheduler.all_running()
        return [name for name, job in running.items() if max(job.since, active.get(job.thread, 0.0)) < since]

    def collect(self) -> list[EndedWork]:
        """Return what has ended since the last call; start what waits."""
        ended = [EndedWork(job.target, job.job.inbox, job.result or {}, job.error) for job in self._scheduler.collect()]
        for name in [*self._inboxes]:
            if self._scheduler.free() <= 0:
                break
            self._scheduler.forget_failures(name)
            if self._scheduler.start(name, OpsJob(self, name, self._inboxes[name])):
                del self._inboxes[name]
        return ended

    def close(self, seconds: float) -> None:
        """Wait up to so many seconds for the end of what runs."""
        self._scheduler.close(seconds)
