"""What helm does to a release: few at a time, and over what a helm that was killed left."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cluster.limits import HELM_TURN_SECONDS
from cluster.sync.helm.context import SyncContext, files_for_helm
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.helm import Revision
from cluster.sync.helm.releases import manifest, newest, unlock
from cluster.sync.helm.state import BUSY, HelmRelease


class StoppedError(Exception):
    """Something newer is to be deployed, or the program ends; the record says how to go on."""


class Changes:
    """To one release. All calls raise HelmError, HelmAwayError, ApiError and ApiAwayError."""

    def __init__(self, context: SyncContext, location: ReleaseTarget, stop: threading.Event) -> None:
        """Take `stop`, which ends the waiting, and helm."""
        self._context = context
        self._location = location
        self._stop = stop

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn of the few helms that run at a time; `upgrade`, `roll_back` and `uninstall` need it.

        Raises StoppedError.
        """
        while not self._context.slots.acquire(timeout=HELM_TURN_SECONDS):
            if self._stop.is_set():
                raise StoppedError
        try:
            if self._stop.is_set():
                raise StoppedError
            yield
        finally:
            self._context.slots.release()

    def upgrade(self, desired: Desired, contents: Mapping[str, bytes], before: HelmRelease | None) -> Revision:
        """Install or upgrade, and return the new revision.

        `contents`: of the values files; `before`: the newest revision, as it was seen last.
        """
        location, helm = self._location, self._context.helm
        self._unlock(before)
        with files_for_helm(self._context, location, desired, contents) as (chart, values):
            return helm.upgrade(location.release, location.namespace, chart, values, desired.fingerprint, self._stop)

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
        """Return what a revision consists of, as YAML."""
        return manifest(self._context.api, self._location.namespace, self._location.release, revision)

    def _unlock(self, found: HelmRelease | None) -> None:
        if found and found.status in BUSY:
            unlock(self._context.api, self._location.namespace, self._location.release, found.revision)
