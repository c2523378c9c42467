"""The thread that hears of everything: deliveries and requests in the store, the clock, builds that ended.

It does nothing that takes long. What is to be looked at goes through `bot.reconcile.rounds`, side by side, and comes
back here when it has ended.
"""

import threading
import time
from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from bot.backoff import Backoff
from bot.git.command import Git
from bot.git.signatures import Signatures
from bot.limits import (
    CLOSE_SECONDS,
    FORGET_SECONDS,
    MAX_NAMED_DELIVERIES,
    MAX_TAKEN,
    POLL_SECONDS,
    RETRY_BROKEN_SECONDS,
    STUCK_SECONDS,
)
from bot.logs import get_logger
from bot.model.registration import Target
from bot.notification_threads import make_notification_threads
from bot.ownership import Ownership
from bot.rechecks import make_rechecks, most_looks
from bot.reconcile.commit_statuses import CommitStatuses
from bot.reconcile.context import BotContext, open_repositories
from bot.reconcile.gate_watch import GateWatch
from bot.reconcile.images import make_image_resolver
from bot.reconcile.record import end_holds
from bot.reconcile.result import Results, Round, outcomes_of
from bot.reconcile.rounds import Rounds
from bot.settings import Settings
from bot.store.store import Store
from bot.store.tables import Delivery, DeliveryState

_log = get_logger("dppctl.bot")


class Loop:
    """Keeps the ops repos at what the registered apps' repositories say."""

    def __init__(
        self, settings: Settings, targets: frozenset[Target], git: Git, store: Store, on_change: Callable[[], None]
    ) -> None:
        """`on_change` is called after each push to an ops repo, the bot's and that of others that a webhook tells of.

        It must not block, and is called in several threads. Raises DppctlError for a builder that does not work.
        """
        self._store = store
        self._git = git
        self._on_change = on_change
        self._stop = threading.Event()
        self._apps, self._ops = open_repositories(settings, targets, git)
        self._images = make_image_resolver(settings, targets, store, lambda app: self.wake(app.repository))
        self._ownership = Ownership(store, targets)
        context = BotContext(
            targets,
            self._apps,
            self._ops,
            store,
            self._images,
            Signatures(git, settings, targets),
            on_change,
            self._ownership.check,
            self.wake,
            self._stop,
            settings.preview_limits,
        )
        # Argo CD and Flux say by commit statuses what sync would report.
        self._statuses = CommitStatuses(targets, self._ops, store) if settings.deployed_by == "commit-status" else None
        self._wake = threading.Condition()
        self._is_woken = self._has_news = False  # news: in the store
        self._rounds = Rounds(context, self._statuses, self._notify)
        self._gates = GateWatch(store)
        self._rechecks = make_rechecks(settings, set(self._ownership.registered))
        self._notifications = make_notification_threads(
            settings, targets, store, git.credentials, lambda: self._ownership.leads
        )
        self._backoff = Backoff[str]()
        self._waiting: set[str] = set()  # repositories to look at
        self._mine = frozenset[str]()  # repositories
        self._left_failed = set[str]()  # those that had failed before they were ours
        self._ids: dict[str, list[str]] = {}  # by repository, the deliveries that are not done with
        self._in_hand: set[str | int] = set()  # deliveries and requests that are being worked at
        self._counted = self._counts()
        self._next_forget = 0.0
        self.rounds = 0  # they grow as long as the thread goes on

    def wake(self, repository: str) -> None:
        """Ask for a look at a repository soon. Any number of calls until then become one look."""
        with self._wake:
            self._waiting.add(repository)
        self._notify()

    def look(self) -> None:
        """Ask for a look into the store now: the receiver wrote something down. Any thread may call it."""
        self._has_news = True
        self._notify()

    def problem(self) -> str | None:
        """Return which ops repos are stuck, as nothing has happened there for long; None: none. Any thread may ask."""
        stuck = self._rounds.stuck(self._git.active)
        return f"nothing has happened for {STUCK_SECONDS:.0f} seconds in {', '.join(stuck)}" if stuck else None

    def stop(self) -> None:
        """Let `run` return soon; what it is at is dropped, and done after the next start."""
        self._stop.set()
        self._notify()
        self._images.builds.stop()
        for thread in self._notifications:
            thread.stop()

    def run(self) -> None:
        """Work until `stop`. What fails is logged and tried again: soon at first, then less often."""
        next_poll = 0.0
        notifying = [thread.start() for thread in self._notifications]
        try:
            while not self._stop.is_set():
                self.rounds += 1
                try:
                    if (now := time.monotonic()) >= next_poll or self._has_news:
                        self._has_news = False
                        next_poll = now + POLL_SECONDS
                        self._ownership.renew(self._rounds.is_idle)
                        self._recheck(now)
                        self._take()
                    self._advance()
                except SQLAlchemyError as error:
                    _log.error("store does not answer", error=" ".join(str(error).split())[:300])
                    self._pause(1.0)
                except Exception:  # noqa: BLE001 (a mistake of ours; the next round may find something else)
                    _log.exception("round broke")
                    self._pause(RETRY_BROKEN_SECONDS)
                self._pause(max(0.0, next_poll - time.monotonic()))
        finally:
            self.close()
            for thread in notifying:
                thread.join(1.0)  # a call that is under way is not waited for

    def close(self) -> None:
        """End what runs, and let another bot lead."""
        self._stop.set()
        for thread in self._notifications:
            thread.stop()
        self._images.builds.close()
        self._rounds.close(CLOSE_SECONDS)
        self._ownership.release()

    def take(self) -> None:
        """Do all that the receiver wrote down, what woke us and what is to be tried again, to its end: for tests."""
        self._take()
        while self._rounds.is_under_way and not self._stop.is_set():
            self._advance()
            self._pause(POLL_SECONDS)

    def reconcile(self, repositories: Set[str], *, is_asked: bool = True) -> Results:
        """Bring the ops repos to what the registered apps in these repositories say; return how it went with each.

        For one who does not `run` it. is_asked: as for a push, not as by the clock.
        """
        begun = [self._begin(name, [], is_asked=is_asked) for name in sorted(repositories & self._apps.keys())]
        while any(found.ops for found in begun) and not self._stop.is_set():
            self._advance()
            self._pause(POLL_SECONDS)
        return {found.repository: found.result for found in begun}

    def _take(self) -> None:
        """Begin what the receiver wrote down, what woke us, and what is to be tried again."""
        found: dict[str, list[Delivery]] = {}
        for delivery in self._store.deliveries.take(MAX_TAKEN + len(self._in_hand)):
            if delivery.id not in self._in_hand and self._ownership.owns(delivery.repository or ""):
                found.setdefault(delivery.repository or "", []).append(delivery)
        begun = set[str]()
        for repository, deliveries in found.items():
            of_app = self._take_of_ops(repository, deliveries) if repository in self._ops else deliveries
            if repository in self._apps and of_app:
                self._begin(repository, of_app, is_asked=True)
                begun.add(repository)
            elif of_app:
                self._finish(of_app, "ignored", "the repository is not registered any more")
        with self._wake:
            waiting = (self._waiting | end_holds(self._store, self._ownership.owns)) - begun
            # A look that is under way may have seen less than what there is to see: another one follows it.
            self._waiting = {name for name in waiting if self._rounds.is_open(name)}
        waiting |= self._gates.repositories(lambda name: self._ownership.owns(name) and not self._rounds.is_open(name))
        for name in (waiting | self._backoff.due()) & self._apps.keys():
            if not self._rounds.is_open(name) and self._ownership.owns(name):
                self._begin(name, [], is_asked=True)
        for request in self._store.requests.take():
            is_ours = request.id not in self._in_hand and self._ownership.owns("/".join(request.app.split("/")[:2]))
            if is_ours and self._rounds.begin_request(request):
                self._in_hand.add(request.id)

    def _take_of_ops(self, ops: str, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Take those about an ops repo, and return the others: a repository may be an app's too."""
        statuses = [delivery for delivery in deliveries if delivery.event == "status"]
        pushes = [delivery for delivery in deliveries if delivery.event != "status"]
        if not self._statuses and statuses:
            self._finish(statuses, "ignored", "DPPCTL_DEPLOYED_BY is sync")
        elif self._statuses and statuses and not self._statuses.waits(ops):
            self._in_hand |= {delivery.id for delivery in statuses}
            self._rounds.follow(ops, statuses)
        if pushes:
            self._on_change()
        if ops in self._apps:
            return pushes
        if pushes:
            self._finish(pushes, "processed", "sync looks at it")
        return []

    def _begin(self, name: str, deliveries: Sequence[Delivery], *, is_asked: bool) -> Round:
        """Begin a look at a repository; ids of deliveries are kept until it is done with, for log and ops commit."""
        self._in_hand |= {delivery.id for delivery in deliveries}
        if deliveries:
            ids = self._ids.setdefault(name, [])
            new = [delivery.id for delivery in deliveries]
            ids[:] = [*(known for known in ids if known not in new), *new][-MAX_NAMED_DELIVERIES:]
        return self._rounds.begin(name, deliveries, self._ids.get(name, ()), is_asked=is_asked)

    def _advance(self) -> None:
        """Take what is under way a step further, and record what has ended."""
        progress = self._rounds.advance()
        self._in_hand -= {request.id for request in progress.requests}
        self._in_hand -= {delivery.id for delivery in progress.deliveries}
        for name in progress.broken:
            self._backoff.failed(name)
        for found in progress.rounds:
            self._in_hand -= {delivery.id for delivery in found.deliveries}
        if self._stop.is_set():
            return
        # The deliveries of what another bot has by now still wait, for that.
        ours = [found for found in progress.rounds if self._ownership.owns(found.repository)]
        for found in ours:
            self._note(found)
        if ours:
            for (state, reason), deliveries in outcomes_of(ours).items():
                self._finish(deliveries, state, reason)
            counts = self._counts()
            grown = {name: value - self._counted[name] for name, value in counts.items()}
            self._counted = counts
            self._store.totals.add({**grown, "reconciles": len(ours)})

    def _note(self, found: Round) -> None:
        """Note how it went with a repository, for later tries."""
        name, result = found.repository, found.result
        if not result.failure and not result.waiting:
            self._ids[name] = [known for known in self._ids.get(name, ()) if known not in found.ids]
        if result.failure:
            self._backoff.failed(name)
        elif self._backoff.succeeded(name) or name in self._left_failed:
            self._store.deliveries.recover(name, result.reason)
            self._left_failed.discard(name)

    def _finish(self, deliveries: Sequence[Delivery], state: DeliveryState, reason: str | None) -> None:
        self._store.deliveries.finish([delivery.id for delivery in deliveries], state, reason)

    def _recheck(self, now: float) -> None:
        """Begin the looks whose time has come, at what is this bot's, as long as GitHub takes enough calls."""
        limit = self._git.credentials.limit
        limit.share(self._ownership.bots)
        mine = self._ownership.repositories()
        if mine is not self._mine:
            self._left_failed |= self._store.deliveries.failed() & (mine - self._mine)
            self._mine = mine
            self._rechecks.own(mine, now)
        for name in self._rechecks.due(now, most_looks(limit, self._rounds.number, self._rounds.waiting)):
            if name in self._ops:
                self._rounds.re_read(name)
            if name in self._apps and not self._rounds.is_open(name):
                self._begin(name, [], is_asked=False)
        if now >= self._next_forget and self._ownership.leads:
            self._next_forget = now + FORGET_SECONDS
            self._store.forget(datetime.now(UTC))

    def _counts(self) -> dict[str, float]:
        """Return what /metrics counts of git and the ops repos, since the start."""
        return {
            "ops_pushes": sum(ops.pushes for ops in self._ops.values()),
            "ops_conflicts": sum(ops.conflicts for ops in self._ops.values()),
            "ops_commits": sum(ops.commits for ops in self._ops.values()),
            "git_calls": self._git.calls,
            "git_errors": self._git.errors,
        }

    def _notify(self) -> None:
        with self._wake:
            self._is_woken = True
            self._wake.notify()

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._is_woken or self._stop.is_set(), seconds)
            self._is_woken = False
