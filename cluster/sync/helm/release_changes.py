"""What helm does to a release: few at a time, and over what a helm that was killed left."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bot.logs import get_logger
from cluster.limits import HELM_TRY_SECONDS, HELM_TURN_SECONDS
from cluster.sync.helm import old_jobs, records
from cluster.sync.helm.context import ChartFacts, SyncContext, files_for_helm
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.drift import restore_secrets
from cluster.sync.helm.helm import HelmUnclearError, Revision
from cluster.sync.helm.manifests import job_of
from cluster.sync.helm.releases import manifest, newest, unlock
from cluster.sync.helm.state import BUSY, HelmRelease

_log = get_logger("dppctl.sync")
ResultT = TypeVar("ResultT")


class ReleaseStoppedError(Exception):
    """Something newer is to be deployed, or the program ends; the record says how to go on."""


class Changes:
    """To one release. All calls raise helm's errors, ApiError and ApiAwayError."""

    def __init__(self, context: SyncContext, location: ReleaseTarget, stop: threading.Event) -> None:
        """Take `stop`, which ends the waiting, and helm."""
        self._context = context
        self._location = location
        self._stop = stop

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn of the few helms that run at a time; `upgrade`, `roll_back` and `uninstall` need it.

        Raises ReleaseStoppedError.
        """
        while not self._context.slots.acquire(timeout=HELM_TURN_SECONDS):
            if self._stop.is_set():
                raise ReleaseStoppedError
        try:
            if self._stop.is_set():
                raise ReleaseStoppedError
            yield
        finally:
            self._context.slots.release()

    def persist(self, change: Callable[[], ResultT], say: Callable[[str], None]) -> ResultT:
        """Return what the change does in its turn; what helm fails at without a reason is tried again a few times.

        Raises ReleaseStoppedError, and what `change` raises; `say` hears of what is tried again.
        """
        for seconds in HELM_TRY_SECONDS:
            try:
                with self.turn():
                    return change()
            except HelmUnclearError as error:
                say(f"{error}\ntried again in {seconds:g} seconds")
            if self._stop.wait(seconds):
                raise ReleaseStoppedError
        with self.turn():
            return change()

    def upgrade(
        self, desired: Desired, contents: Mapping[str, bytes], before: HelmRelease | None, facts: ChartFacts
    ) -> Revision:
        """Install or upgrade, and return the new revision.

        `contents`: of the values files; `before`: the newest revision, as it was seen last; `facts`: what the chart is
        told, but for the data that was there before.
        """
        location, helm = self._location, self._context.helm
        self._unlock(before)
        if before:
            for name in restore_secrets(self._context.api, location, self.manifest(before.revision)):
                _log.warning("deleted by hand, restored", secret=name, namespace=location.namespace)
        known = records.baseline(self._context.api, location) if before else None
        facts = replace(facts, before=known)
        with files_for_helm(self._context, location, desired, contents, facts) as (chart, values):
            if before:
                self._stop_others(chart, values)
            return helm.upgrade(location.release, location.namespace, chart, values, desired.fingerprint, self._stop)

    def _stop_others(self, chart: Path, values: Sequence[Path]) -> None:
        """Remove earlier deployments' Jobs that still run, but for the one that this deployment runs too.

        Two that write to one database at a time would spoil what comes out.
        """
        context, location = self._context, self._location
        if running := old_jobs.unfinished(context.api, location):
            same = job_of(context.helm.preview(location.release, location.namespace, chart, values))
            for name in running:
                if name != same:
                    old_jobs.remove_job(context.api, location, name)
                    _log.warning("stopped, as something newer is to run", job=name, namespace=location.namespace)

    def stop_failed(self, since: datetime, now: HelmRelease | None) -> list[str]:
        """Remove the Jobs that a failed upgrade made since then and nobody would follow; return their names.

        `now`: the release as it is; what it runs is left.
        """
        api, location = self._context.api, self._location
        deployed = self.manifest(now.revision) if now and now.status == "deployed" else ""
        made = [name for name in old_jobs.unfinished(api, location, since) if name != job_of(deployed)]
        for name in made:
            old_jobs.remove_job(api, location, name)
        return made

    def roll_back(self, revision: int) -> None:
        """Bring back an older revision, as a new one."""
        self._unlock(self.newest())
        self._context.helm.roll_back(self._location.release, self._location.namespace, revision, self._stop)

    def uninstall(self) -> None:
        """Remove the release."""
        self._context.helm.uninstall(self._location.release, self._location.namespace, self._stop)

    def newest(self) -> HelmRelease | None:
        """Return the newest revision, as it is now."""
        return newest(self._context.api, self._location.namespace, self._location.release)

    def newest_number(self) -> int:
        """Return the number of the newest revision; 0: there is none."""
        found = self.newest()
        return found.revision if found else 0

    def manifest(self, revision: int) -> str:
        """Return what a revision consists of, as YAML. Raises RevisionGoneError."""
        return manifest(self._context.api, self._location.namespace, self._location.release, revision)

    def _unlock(self, found: HelmRelease | None) -> None:
        if found and found.status in BUSY:
            unlock(self._context.api, self._location.namespace, self._location.release, found.revision)
