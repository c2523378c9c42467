"""The Lease that says which of several syncs deploys: https://kubernetes.io/docs/concepts/architecture/leases/.

Clocks are not compared: a Lease has run out when it did not change for as long as it says, by the clock of who waits.
Its holder stops earlier than that: `lease_holding.py`.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from bot.kubernetes import ApiError, KubernetesClient, Object
from cluster.limits import LEASE_DEADLINE_SECONDS, LEASE_SECONDS
from cluster.sync.helm.desired import ReleaseTarget


def lease_name(locations: Iterable[ReleaseTarget]) -> str:
    """Return the same name for the same environments, and another one for others."""
    text = "\n".join(sorted(f"{location.namespace}/{location.release}" for location in locations))
    return f"dppctl-sync-{sha256(text.encode()).hexdigest()[:12]}"


class Lease:
    """A Lease as one process sees it. One thread at a time calls its methods; any may ask whether it is held."""

    def __init__(self, api: KubernetesClient, namespace: str, name: str, identity: str) -> None:
        """Take where the Lease is; `identity`: what people and other processes know this process by."""
        self.namespace, self.label = namespace, f"{namespace}/{name}"
        self.identity = identity
        self.other = ""  # another process that holds it, as of the last look
        self.renewals = 0  # of others, that were seen
        self._api = api
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path, self._name = f"{self._leases}/{name}", name
        self._held_until = 0.0  # by the monotonic clock
        self._seen, self._seen_at = "", 0.0  # the version that another process wrote, and when that was first seen

    @property
    def is_held(self) -> bool:
        """Return whether this process may deploy now."""
        return time.monotonic() < self._held_until

    def acquire(self) -> bool:
        """Take the Lease when it is free, or renew it. Return whether that was done. Raises KubernetesError."""
        asked = time.monotonic()
        found = self._api.get(self._path)
        before = (found or {}).get("spec") or {}
        holder = before.get("holderIdentity") or ""
        self.other = "" if holder == self.identity else holder
        if self._held_until and holder != self.identity:  # somebody has deployed since the last renewal
            self._held_until = 0.0
            return False
        if found and self.other and not self._has_run_out(found):
            return False
        is_renewal = holder == self.identity
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": before.get("acquireTime", now) if is_renewal else now,
            "renewTime": now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (0 if is_renewal or not found else 1),
        }
        try:
            if found:
                self._api.replace(self._path, {**found, "spec": spec})
            else:
                self._api.create(self._leases, {"metadata": {"name": self._name}, "spec": spec})
        except ApiError as error:
            if error.status == 409:  # somebody wrote it a moment ago: the next look finds who
                return False
            raise
        self._held_until, self.other = asked + LEASE_DEADLINE_SECONDS, ""
        return True

    def give_up(self) -> None:
        """Let another process take it at once, if it is ours. Raises KubernetesError."""
        self._held_until = 0.0
        found = self._api.get(self._path)
        spec = (found or {}).get("spec") or {}
        if found and spec.get("holderIdentity") == self.identity:
            kept = {name: value for name, value in spec.items() if name != "holderIdentity"}
            self._api.replace(self._path, {**found, "spec": kept})

    def _has_run_out(self, found: Object) -> bool:
        """Return whether another process has not renewed it for as long as it holds."""
        now, version = time.monotonic(), f"{found['metadata'].get('uid')}/{found['metadata'].get('resourceVersion')}"
        if version != self._seen:
            self.renewals += 1 if self._seen else 0
            self._seen, self._seen_at = version, now
        return now - self._seen_at >= (found["spec"].get("leaseDurationSeconds") or LEASE_SECONDS)
