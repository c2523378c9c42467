"""The one thread that works: it takes deliveries and requests from the store, and looks at everything by the clock.

Serial on purpose: there is one writer for each ops repo, and what piles up while it works is handled together.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bot.backoff import Backoff
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.git.signatures import Signatures
from bot.limits import DELIVERY_DAYS, MAX_NAMED_DELIVERIES, POLL_SECONDS, RETRY_BROKEN_SECONDS
from bot.logs import bind_push, get_logger
from bot.model.names import RepoPath, short
from bot.model.registration import Target
from bot.reconcile.commit_links import CommitLinks
from bot.reconcile.commit_statuses import CommitStatuses
from bot.reconcile.context import BotContext
from bot.reconcile.images import make_image_resolver
from bot.reconcile.manual import ManualDeploys
from bot.reconcile.ops_repo import OpsRepo
from bot.reconcile.reconciler import Reconciler, Result, Results
from bot.settings import Settings
from bot.store.leader import Leader
from bot.store.store import Store
from bot.store.tables import Delivery, DeliveryState

if TYPE_CHECKING:
    from bot.github.notifier import Notifier

_log = get_logger("dppctl.bot")


class Loop:
    """Keeps the ops repos at what the registered apps' repositories say."""

    def __init__(
        self,
        settings: Settings,
        targets: frozenset[Target],
        git: Git,
        store: Store,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called after each push to an ops repo, the bot's and that of others that a webhook tells of.

        It must not block. Raises DppctlError for a builder that does not work.
        """
        self._store = store
        self._git = git
        self._on_change = on_change
        self._resync_seconds = settings.resync_seconds
        self._stop = threading.Event()
        self._apps, self._ops = _repositories(settings, targets, git)
        self._images = make_image_resolver(settings, targets, store, lambda app: self.wake(app.repository))
        signatures = Signatures(git, settings, targets)
        context = BotContext(targets, self._apps, self._ops, store, self._images, signatures, on_change, self._stop)
        self._reconciler = Reconciler(context)
        self._manual = ManualDeploys(context, self._reconciler)
        # Argo CD and Flux say by commit statuses what sync would report.
        self._statuses = CommitStatuses(targets, self._ops, store) if settings.deployed_by == "commit-status" else None
        self._leader = Leader(store.database)
        self._leads = False
        self._notifier = _notifier(settings, targets, store, git, lambda: self._leads)
        self._backoff = Backoff[str]()
        self._waiting: set[str] = set()  # repositories to look at
        self._wake = threading.Condition()
        self._deliveries: dict[str, list[str]] = {}  # by repository, the ids of those that are not done with
        self.rounds = 0  # they grow as long as the thread goes on

    def wake(self, repository: str) -> None:
        """Ask for a look at a repository soon. Any number of calls while the loop works become one look."""
        with self._wake:
            self._waiting.add(repository)
            self._wake.notify()

    def stop(self) -> None:
        """Let `run` return soon; what it is at is dropped, and done after the next start."""
        self._stop.set()
        with self._wake:
            self._wake.notify()
        self._images.builds.stop()
        if self._notifier:
            self._notifier.stop()

    def run(self) -> None:
        """Work until `stop`. What fails is logged and tried again: soon at first, then less often."""
        next_resync = 0.0
        notifying = self._notifier.start() if self._notifier else None
        try:
            while not self._stop.is_set():
                self.rounds += 1
                try:
                    self._leads = self._leader.acquire()
                    if not self._leads:
                        next_resync = 0.0
                        self._pause(4 * POLL_SECONDS)
                        continue
                    if time.monotonic() >= next_resync:
                        next_resync = time.monotonic() + self._resync_seconds
                        self._store.deliveries.forget(datetime.now(UTC) - timedelta(days=DELIVERY_DAYS))
                        with self._wake:
                            self._waiting |= set(self._apps)
                    self.take()
                except SQLAlchemyError as error:
                    _log.error("store does not answer", error=" ".join(str(error).split())[:300])
                    self._pause(1.0)
                except Exception:  # noqa: BLE001 (a mistake of ours; the next round may find something else)
                    _log.exception("round broke")
                    self._pause(RETRY_BROKEN_SECONDS)
                self._pause(POLL_SECONDS)
        finally:
            self.close()
            if notifying:
                notifying.join(1.0)  # a call that is under way is not waited for

    def close(self) -> None:
        """End the builds, and let another bot lead."""
        self._leads = False
        if self._notifier:
            self._notifier.stop()
        self._images.builds.close()
        self._leader.release()

    def take(self) -> None:
        """Do one round: what the receiver wrote down, what woke us, and what is to be tried again."""
        deliveries = self._take_ops_deliveries(self._store.deliveries.take())
        with self._wake:
            repositories, self._waiting = self._waiting, set()
        repositories |= {delivery.repository for delivery in deliveries if delivery.repository} | self._backoff.due()
        self._remember(deliveries)
        results = self.reconcile(repositories)
        if not self._stop.is_set():
            self._finish(deliveries, results)
        for request in self._store.requests.take():
            if not self._stop.is_set():
                self._manual.deploy(request)

    def reconcile(self, repositories: Set[str]) -> Results:
        """Bring the ops repos to what the registered apps in these repositories say; return how it went with each."""
        repositories &= self._apps.keys()
        if not repositories:
            return {}
        start, calls, errors = time.monotonic(), self._git.calls, self._git.errors
        before = self._written()
        results = self._reconciler.reconcile(repositories, self._deliveries)
        for name, result in results.items():
            if not result.failure and not result.waiting:
                self._deliveries.pop(name, None)
            if result.failure:
                self._backoff.failed(name)
            elif self._backoff.succeeded(name) and not self._stop.is_set():
                self._store.deliveries.recover(name, result.reason)
        if not self._stop.is_set():
            totals = {name: value - before[name] for name, value in self._written().items()}
            totals |= {"git_calls": self._git.calls - calls, "git_errors": self._git.errors - errors}
            self._store.totals.add({**totals, "reconciles": 1, "reconcile_seconds": time.monotonic() - start})
        return results

    def _take_ops_deliveries(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Take those of ops repos, and return the others. A repository may be an app's and an ops repo."""
        of_ops = [delivery for delivery in deliveries if delivery.repository in self._ops]
        statuses = [delivery for delivery in of_ops if delivery.event == "status"]
        pushes = [delivery for delivery in of_ops if delivery.event != "status"]
        if self._statuses:
            self._statuses.take(statuses)
        elif statuses:
            ids = [delivery.id for delivery in statuses]
            self._store.deliveries.finish(ids, "ignored", "DPPCTL_DEPLOYED_BY is sync")
        of_apps_too = [delivery for delivery in pushes if delivery.repository in self._apps]
        if pushes:
            self._on_change()
            ids = [delivery.id for delivery in pushes if delivery not in of_apps_too]
            self._store.deliveries.finish(ids, "processed", "sync looks at it")
        return [delivery for delivery in deliveries if delivery not in of_ops or delivery in of_apps_too]

    def _remember(self, deliveries: Sequence[Delivery]) -> None:
        """Keep the ids until their repositories are done with, also while an image is built, for log and ops commit."""
        for delivery in deliveries:
            if delivery.repository and delivery.repository in self._apps:
                ids = self._deliveries.setdefault(delivery.repository, [])
                ids[:] = [*(known for known in ids if known != delivery.id), delivery.id][-MAX_NAMED_DELIVERIES:]

    def _finish(self, deliveries: Sequence[Delivery], results: Results) -> None:
        """Record what became of deliveries, those with the same words together."""
        outcomes: dict[tuple[DeliveryState, str | None], list[str]] = {}
        reasons: dict[tuple[str, str | None], str | None] = {}
        for delivery in deliveries:
            name, ref = delivery.repository or "", delivery.ref
            result = results.get(name, Result())
            if name not in self._apps:
                outcome: tuple[DeliveryState, str | None] = "ignored", "the repository is not registered any more"
            elif result.failure:
                outcome = "failed", f"{result.failure}; it will be tried again"
            else:
                if (name, ref) not in reasons:
                    reasons[name, ref] = result.reason(ref)
                outcome = "processed", reasons[name, ref]
                if reasons[name, ref]:  # nothing is deployed; what is has lines of its own
                    with bind_push((delivery.id,)):
                        _log.info("processed", repository=name, ref=short(ref or ""), reason=reasons[name, ref])
            outcomes.setdefault(outcome, []).append(delivery.id)
        for (state, reason), ids in outcomes.items():
            self._store.deliveries.finish(ids, state, reason)

    def _written(self) -> dict[str, float]:
        return {
            "ops_pushes": sum(ops.pushes for ops in self._ops.values()),
            "ops_conflicts": sum(ops.conflicts for ops in self._ops.values()),
            "ops_commits": sum(ops.commits for ops in self._ops.values()),
        }

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._stop.is_set(), seconds)


def _repositories(
    settings: Settings, targets: frozenset[Target], git: Git
) -> tuple[Mapping[str, Mirror], Mapping[str, OpsRepo]]:
    """Make the copies of the registered apps' repositories and ops repos, by OWNER/REPO."""

    def folder(kind: str, repository: str) -> Path:
        return settings.state_dir / kind / RepoPath(repository).slug

    apps = {
        name: Mirror(git, settings.github.repository_url(name), folder("apps", name))
        for name in {target.app.repository for target in targets}
    }
    ops = {
        name: OpsRepo(
            git,
            settings.github.repository_url(name),
            folder("ops", name),
            CommitLinks(settings).lines,
            settings.github.signing_key_file,
        )
        for name in {target.ops.repository for target in targets}
    }
    return apps, ops


def _notifier(
    settings: Settings, targets: frozenset[Target], store: Store, git: Git, leads: Callable[[], bool]
) -> "Notifier | None":
    if not settings.github.has_api:
        return None
    # Here, as PyGithub takes a third of a second, and not everybody is on GitHub.
    from bot.github.notifier import Notifier

    return Notifier(settings, targets, store, git.credentials, leads)
