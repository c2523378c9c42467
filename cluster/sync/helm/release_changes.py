"""What helm does to a release: few at a time, and over what a helm that was killed left."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cluster.limits import HELM_TURN_SECONDS
from cluster.sync.helm.context import SyncContext, files_for_helm
from cluster.sync.helm.decide import BUSY, Release
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.helm import Revision
from cluster.sync.helm.releases import manifest, newest, unlock


class StoppedError(Exception):
    """Something newer is to be deployed, or the program ends; the record says how to go on."""


class Changes:
    """To one release. All calls raise HelmError, HelmAwayError, ApiError and ApiAwayError."""

    def __init__(self, means: SyncContext, place: ReleaseTarget, stop: threading.Event) -> None:
        """`stop` ends the waiting, and helm."""
        self._means = means
        self._place = place
        self._stop = stop

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One of the few helms that run at a time; `upgrade`, `roll_back` and `uninstall` are for it.

        Raises StoppedError.
        """
        while not self._means.slots.acquire(timeout=HELM_TURN_SECONDS):
            if self._stop.is_set():
                raise StoppedError
        try:
            if self._stop.is_set():
                raise StoppedError
            yield
        finally:
            self._means.slots.release()

    def upgrade(self, wanted: Desired, contents: Mapping[str, bytes], before: Release | None) -> Revision:
        """Install or upgrade; `contents`: of the values files, `before`: the newest revision, as it was seen last."""
        place, helm = self._place, self._means.helm
        self._unlock(before)
        with files_for_helm(self._means, place, wanted, contents) as (chart, values):
            return helm.upgrade(place.release, place.namespace, chart, values, wanted.fingerprint, self._stop)

    def roll_back(self, revision: int) -> None:
        """Bring back an older revision, as a new one."""
        self._unlock(self.newest())
        self._means.helm.roll_back(self._place.release, self._place.namespace, revision, self._stop)

    def uninstall(self) -> None:
        """Remove the release."""
        self._means.helm.uninstall(self._place.release, self._place.namespace, self._stop)

    def newest(self) -> Release | None:
        """The newest revision, as it is now."""
        return newest(self._means.api, self._place.namespace, self._place.release)

    def newest_number(self) -> int:
        """Its number; 0: there is none."""
        found = self.newest()
        return found.revision if found else 0

    def manifest(self, revision: int) -> str:
        """What a revision consists of, as YAML."""
        return manifest(self._means.api, self._place.namespace, self._place.release, revision)

    def _unlock(self, found: Release | None) -> None:
        if found and found.status in BUSY:
            unlock(self._means.api, self._place.namespace, self._place.release, found.revision)
