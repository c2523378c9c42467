"""The one thread that works: it takes deliveries and requests from the store, and looks at everything by the clock.

Serial on purpose: there is one writer for each ops repo, and what piles up while it works is handled together.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bot.backoff import Backoff
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.limits import DELIVERY_DAYS, POLL_SECONDS
from bot.logs import get_logger
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.reconcile.commit_links import CommitLinks
from bot.reconcile.commit_statuses import CommitStatuses
from bot.reconcile.images import make_image_resolver
from bot.reconcile.manual import ManualDeploys
from bot.reconcile.ops_repo import OpsRepo
from bot.reconcile.reconciler import Reconciler
from bot.settings import Settings
from bot.store.leader import Leader
from bot.store.store import Store
from bot.store.tables import Delivery

if TYPE_CHECKING:
    from bot.github.notifier import Notifier

_log = get_logger("dppctl.bot")


class Loop:
    """Keeps the ops repos at what the registered apps' repos say."""

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

        def folder(kind: str, repository: str) -> Path:
            return settings.state_dir / kind / RepoPath(repository).slug

        self._apps = {
            name: Mirror(git, settings.github.repository_url(name), folder("apps", name))
            for name in {target.app.repository for target in targets}
        }
        ops = {
            name: OpsRepo(git, settings.github.repository_url(name), folder("ops", name), CommitLinks(settings))
            for name in {target.ops.repository for target in targets}
        }
        self._ops = ops
        self._imaging = make_image_resolver(settings, store, lambda app: self.wake(app.repository))
        self._reconciler = Reconciler(targets, self._apps, ops, store, self._imaging, on_change)
        self._hand = ManualDeploys(targets, self._apps, ops, store, self._imaging, self._reconciler)
        # Argo CD and Flux say by commit statuses what sync would report.
        self._statuses = CommitStatuses(targets, ops, store) if settings.deployed_by == "commit-status" else None
        self._leader = Leader(store.database)
        self._leads = False
        self._teller = _teller(settings, targets, store, git, lambda: self._leads)
        self._retries = Backoff[str]()
        self._waiting: set[str] = set()
        self._wake = threading.Condition()
        self._stopping = False
        self.rounds = 0  # they grow as long as the thread goes on

    def wake(self, repository: str) -> None:
        """Something changed there; look soon. Any number of calls while the loop works become one look."""
        with self._wake:
            self._waiting.add(repository)
            self._wake.notify()

    def stop(self) -> None:
        """`run` returns soon; what it is at is dropped, and done after the next start."""
        with self._wake:
            self._stopping = self._reconciler.stopping = True
            self._wake.notify()
        self._imaging.builds.stop()
        if self._teller:
            self._teller.stop()

    def run(self) -> None:
        """Until `stop`. What fails is logged and tried again: soon at first, then less often."""
        next_resync = 0.0
        told = self._teller.start() if self._teller else None
        try:
            while not self._stopping:
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
                self._pause(POLL_SECONDS)
        finally:
            self.close()
            if told:
                told.join(1.0)  # a call that is under way is not waited for

    def close(self) -> None:
        """Ends the builds, and lets another bot lead."""
        self._leads = False
        if self._teller:
            self._teller.stop()
        self._imaging.builds.close()
        self._leader.release()

    def take(self) -> None:
        """One round: what the receiver wrote down, what woke us, and what is to be tried again."""
        deliveries = self._take_those_of_ops_repos(self._store.deliveries.take())
        with self._wake:
            repositories, self._waiting = self._waiting, set()
        repositories |= {one.repository for one in deliveries if one.repository} | self._retries.due()
        repositories &= set(self._apps)
        if repositories:
            self.reconcile(repositories)
        if not self._stopping:
            self._finish(deliveries)
        for request in self._store.requests.take():
            if not self._stopping:
                self._hand.deploy(request)

    def reconcile(self, repositories: set[str] | list[str]) -> None:
        """Bring the ops repos to what the apps in these repositories say now."""
        start, calls, errors = time.monotonic(), self._git.calls, self._git.errors
        before = self._written()
        self._reconciler(set(repositories))
        for name in set(repositories) & set(self._apps):
            if self._reconciler.failed.get(name):
                self._retries.failed(name)
            elif self._retries.succeeded(name) and not self._stopping:
                self._store.deliveries.recover(name)
        if not self._stopping:
            totals = {name: value - before[name] for name, value in self._written().items()}
            totals |= {"git_calls": self._git.calls - calls, "git_errors": self._git.errors - errors}
            self._store.totals.add({**totals, "reconciles": 1, "reconcile_seconds": time.monotonic() - start})

    def _take_those_of_ops_repos(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """The others. A repository may be an app's and an ops repo."""
        mine = [one for one in deliveries if one.repository in self._ops]
        statuses = [one for one in mine if one.event == "status"]
        pushes = [one for one in mine if one.event != "status"]
        if self._statuses:
            self._statuses.take(statuses)
        elif statuses:
            self._store.deliveries.finish([one.id for one in statuses], "ignored", "DPPCTL_DEPLOYED_BY is sync")
        if pushes:
            self._on_change()
            ids = [one.id for one in pushes if one.repository not in self._apps]
            self._store.deliveries.finish(ids, "processed", "sync looks at it")
        return [one for one in deliveries if one not in mine or (one in pushes and one.repository in self._apps)]

    def _finish(self, deliveries: Sequence[Delivery]) -> None:
        by_repository: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_repository.setdefault(delivery.repository or "", []).append(delivery.id)
        for name, ids in by_repository.items():
            if name not in self._apps:
                self._store.deliveries.finish(ids, "ignored", "the repository is not registered any more")
            elif failure := self._reconciler.failed.get(name):
                self._store.deliveries.finish(ids, "failed", f"{failure}; it will be tried again")
            else:
                self._store.deliveries.finish(ids, "processed", "\n".join(self._reconciler.notes[name]) or None)

    def _written(self) -> dict[str, float]:
        return {
            "ops_pushes": sum(one.pushes for one in self._ops.values()),
            "ops_conflicts": sum(one.conflicts for one in self._ops.values()),
            "ops_commits": self._reconciler.commits,
        }

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._stopping, seconds)


def _teller(
    settings: Settings, targets: frozenset[Target], store: Store, git: Git, leads: Callable[[], bool]
) -> "Notifier | None":
    if not settings.github.has_api:
        return None
    from bot.github.notifier import (
        Notifier,  # here, as PyGithub takes a third of a second, and not everybody is on GitHub
    )

    return Notifier(settings, targets, store, git.credentials, leads)
