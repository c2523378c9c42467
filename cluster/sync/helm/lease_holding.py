"""How a process waits for its Lease, keeps it and stops in time when it is lost.

The leader election of the package `kubernetes` can be neither ended nor given up, so it is not used.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.kubernetes import ApiError, KubernetesError
from bot.logs import get_logger
from cluster.errors import ClusterError
from cluster.limits import LEASE_POLL_SECONDS, LEASE_RENEW_SECONDS, LEASE_WATCH_SECONDS
from cluster.sync.helm.lease import Lease

_log = get_logger("dppctl.sync")


class LeaseHolding:
    """The part of one process in a Lease."""

    def __init__(self, lease: Lease) -> None:
        """Take the Lease; nothing is asked of the cluster yet."""
        self.problem: str | None = "the Lease was not asked for yet"  # why this process does not deploy
        self._lease = lease

    def wait(self, stopping: threading.Event) -> bool:
        """Wait until the Lease is held and return True, or False when `stopping` is set before that."""
        while not stopping.is_set():
            try:
                if self._take():
                    return True
                self._note(f"waits: {self._lease.other or 'another sync'} deploys these environments")
            except KubernetesError as error:
                self._note(f"waits: {self._refusal(error)}")
            stopping.wait(LEASE_POLL_SECONDS)
        return False

    def take(self, stopping: threading.Event) -> bool:
        """Return as `wait` does, but raise ClusterError when it is another's that lives, or cannot be had.

        One that was killed does not renew it: that takes as long to see as the Lease holds.
        """
        while not stopping.is_set():
            try:
                if self._take():
                    return True
            except KubernetesError as error:
                raise ClusterError(self._refusal(error)) from None
            if self._lease.renewals:
                what = f"{self._lease.other} deploys these environments (it holds the Lease {self._lease.label})"
                raise ClusterError(f"{what}; end it first, or look beside it with --once --dry-run")
            self._note(f"waits to see whether {self._lease.other or 'another sync'} still runs")
            stopping.wait(LEASE_POLL_SECONDS)
        return False

    @contextmanager
    def renewed(self, on_loss: Callable[[], None]) -> Iterator[None]:
        """Renew the Lease as long as the block, and give it up at the end. `on_loss` is called when it is lost."""
        ended = threading.Event()
        threads = [
            threading.Thread(target=self._renew, args=[ended], name="lease", daemon=True),
            threading.Thread(target=self._watch, args=[ended, on_loss], name="lease-watch", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()
            try:
                self._lease.give_up()
            except KubernetesError as error:
                _log.warning("lease not given up, so it has to run out", lease=self._lease.label, error=error)

    def _take(self) -> bool:
        if self._lease.acquire():
            self.problem = None
            _log.info("deploys", lease=self._lease.label, holder=self._lease.identity)
            return True
        return False

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(LEASE_RENEW_SECONDS):
            try:
                self._lease.acquire()
            except KubernetesError as error:
                _log.warning("lease not renewed", lease=self._lease.label, error=error)
            if not self._lease.is_held:  # what was lost is taken again only when all that it covered has ended
                return

    def _watch(self, ended: threading.Event, on_loss: Callable[[], None]) -> None:
        """Call `on_loss` in time, also when a renewal hangs."""
        while self._lease.is_held:
            if ended.wait(LEASE_WATCH_SECONDS):
                return
        self.problem = f"the Lease {self._lease.label} is lost to {self._lease.other or 'nobody: it was not renewed'}"
        _log.error("stops deploying", error=self.problem)
        on_loss()

    def _note(self, problem: str) -> None:
        """Tell once why nothing is deployed."""
        if problem != self.problem:
            self.problem = problem
            _log.warning("does not deploy", lease=self._lease.label, reason=problem)

    def _refusal(self, error: KubernetesError) -> str:
        rights = f"; sync needs get, create and update of leases in namespace {self._lease.namespace}: docs/cluster.md"
        advice = rights if isinstance(error, ApiError) else ""
        return f"the Lease {self._lease.label} cannot be had: {error}{advice}"
