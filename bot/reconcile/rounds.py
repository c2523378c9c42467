"""The looks that are under way: each repository is refreshed first, and then goes through its ops repos.

All of them side by side: a repository, or an ops repo, that takes long holds up what needs it, and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.reconcile.commit_statuses import CommitStatuses
from bot.reconcile.context import BotContext
from bot.reconcile.manual import ManualDeploys
from bot.reconcile.ops_workers import EndedWork, OpsWorkers
from bot.reconcile.reconciler import Reconciler
from bot.reconcile.refreshes import Refreshes
from bot.reconcile.result import Round
from bot.store.tables import Delivery, DeployRequest

_log = get_logger("dppctl.bot")
_Asker = tuple[Round, Set[str]] | DeployRequest  # a round, and the ops repos that it goes through after the refresh


@dataclass
class EndedRounds:
    """What has ended: rounds, and what is to be taken from the store anew if it still waits there.

    broken: app repositories whose look did not come to an end.
    """

    rounds: list[Round] = field(default_factory=list)
    requests: list[DeployRequest] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)


class Rounds:
    """The looks of one bot. Its one thread uses it; `on_end` is called in others when there is something to advance."""

    def __init__(self, context: BotContext, statuses: CommitStatuses | None, on_end: Callable[[], None]) -> None:
        """Take what the looks need; statuses: where Argo CD or Flux deploy."""
        reconciler = Reconciler(context)
        self._apps = context.apps
        self._manual = ManualDeploys(context, reconciler)
        self._ops_of: dict[str, set[str]] = {name: set() for name in context.apps}
        for target in context.targets:
            self._ops_of[target.app.repository].add(target.ops.repository)
        groups = {name: frozenset(ops) for name, ops in self._ops_of.items()}
        self._refreshes = Refreshes[_Asker](context.apps, groups, context.stop, on_end)
        self._workers = OpsWorkers(reconciler, self._manual, statuses, context.stop, on_end)
        self._open: dict[str, set[Round]] = {}
        self._requests: set[int] = set()

    def begin(self, repository: str, deliveries: Sequence[Delivery], ids: Iterable[str], *, is_asked: bool) -> Round:
        """Begin a look at an app repository, for these deliveries."""
        begun = Round(repository, is_asked, list(deliveries), tuple(ids), set(self._ops_of[repository]))
        self._open.setdefault(repository, set()).add(begun)
        self._refreshes.ask(repository, (begun, set(begun.ops)))
        return begun

    def begin_request(self, request: DeployRequest) -> bool:
        """Begin a deployment by hand; return False when it has to wait, or is refused at once."""
        try:
            target = self._manual.target(request)
        except DppctlError as error:
            self._manual.refuse(request, error)
            return False
        if self._manual.waits(request):
            return False
        self._requests.add(request.id)
        self._refreshes.ask(target.app.repository, request)
        return True

    def follow(self, ops: str, statuses: Sequence[Delivery]) -> None:
        """Follow statuses of an ops repo's commits."""
        self._workers.inbox(ops).statuses += statuses

    def re_read(self, ops: str) -> None:
        """Look at all that an ops repo has, as far as it is known, if others have pushed there."""
        known = {name for name, found in self._ops_of.items() if ops in found and self._apps[name].seen}
        self._workers.inbox(ops).known |= known

    def is_open(self, repository: str) -> bool:
        """Return whether a look at an app repository is under way."""
        return repository in self._open

    @property
    def number(self) -> int:
        """Return how many app repositories have a look under way."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Return how many repositories are to be refreshed and are not yet."""
        return self._refreshes.waiting

    @property
    def is_under_way(self) -> bool:
        """Return whether there is anything to advance."""
        return bool(self._open or self._requests or not self._workers.is_idle())

    def is_idle(self, ops: Iterable[str]) -> bool:
        """Return whether nothing is under way for any of these ops repos."""
        names = set(ops)
        under_way = (found.ops for rounds in self._open.values() for found in rounds)
        return self._workers.is_idle(names) and not any(names & left for left in under_way)

    def stuck(self, active: Mapping[int, float]) -> list[str]:
        """Return the ops repos where nothing has happened for long; active: as OpsWorkers.stuck. Any thread may ask."""
        return self._workers.stuck(active)

    def advance(self) -> EndedRounds:
        """Take every look a step further, if it can go on; return what has ended."""
        progress = EndedRounds()
        for asker, error in self._refreshes.collect():
            if isinstance(asker, DeployRequest):
                self._pass_on(asker, error, progress)
            elif error:
                _log.error("reconcile failed", repository=asker[0].repository, error=error)
                asker[0].result.fail(f"{asker[0].repository}: {error}")
                self._leave(asker[0], asker[1], progress)
            else:
                for ops in asker[1]:
                    self._workers.inbox(ops).rounds.append(asker[0])
        for work in self._workers.collect():
            self._end(work, progress)
        self._requests -= {request.id for request in progress.requests}
        return progress

    def close(self, seconds: float) -> None:
        """Wait up to so many seconds for the end of what runs."""
        self._refreshes.close(seconds / 2)
        self._workers.close(seconds / 2)

    def _pass_on(self, request: DeployRequest, error: DppctlError | None, progress: EndedRounds) -> None:
        """Have a deployment by hand done, now that its repository is refreshed."""
        if error:
            self._manual.refuse(request, error)
            progress.requests.append(request)
        else:
            self._workers.inbox(self._manual.target(request).ops.repository).requests.append(request)

    def _end(self, work: EndedWork, progress: EndedRounds) -> None:
        if work.error and not isinstance(work.error, Exception):
            raise work.error
        if work.error:
            _log.error("work on an ops repo broke", repository=work.ops, error=work.error)
        progress.requests += work.inbox.requests
        progress.deliveries += work.inbox.statuses
        for found in work.inbox.rounds:
            if work.error:
                progress.broken.add(found.repository)
                progress.deliveries += found.deliveries
                found.deliveries = []
            elif result := work.results.get(found.repository):
                if result.is_busy:
                    self._refreshes.ask(found.repository, (found, {work.ops}))
                    continue
                found.result.merge(result)
            self._leave(found, {work.ops}, progress)

    def _leave(self, found: Round, ops: Set[str], progress: EndedRounds) -> None:
        found.ops -= ops
        if not found.ops:
            progress.rounds.append(found)
            self._open[found.repository].discard(found)
            if not self._open[found.repository]:
                del self._open[found.repository]
