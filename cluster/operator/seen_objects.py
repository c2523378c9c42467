"""The newest of each object that the watch, the listings and our own calls showed."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cluster.operator.state import DATABASE, OperatorState, Pool, PoolPod, RunState, read_pod, read_pool, read_run

RUNS, PODS, POOLS = "runs", "pods", "pools"


_READ: dict[str, Callable[[Mapping[str, Any]], RunState | PoolPod | Pool]]
_READ = {RUNS: read_run, PODS: read_pod, POOLS: read_pool}


class SeenObjects:
    """Keeps what was shown, by kind and uid; for one thread."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Begin with none; `tell` is called with the uid of each run that is new, changed or gone."""
        self._found: dict[str, dict[str, Any]] = {RUNS: {}, PODS: {}, POOLS: {}}
        self._versions: dict[str, int] = {}  # by uid
        self._seen: dict[str, int] = {}  # by uid, when it was shown last
        self._first: dict[str, float] = {}  # by uid, when it was shown first, in seconds since 1970
        self._tell = tell
        self.clock = 0  # counts what was shown

    def see(self, kind: str, found: Mapping[str, Any]) -> None:
        """Keep an object, unless this or a newer state of it is known."""
        about = found["metadata"]
        uid, version = about["uid"], int(about["resourceVersion"])
        self.clock += 1
        self._seen[uid] = self.clock
        self._first.setdefault(uid, time.time())
        # https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions: decimal numbers that grow
        if version > self._versions.get(uid, -1):
            self._versions[uid] = version
            self._found[kind][uid] = _READ[kind](found)
            if kind == RUNS:
                self._tell(uid)

    def forget(self, kind: str, uid: str) -> None:
        """Forget an object that is gone."""
        if self._found[kind].pop(uid, None) is not None and kind == RUNS:
            self._tell(uid)
        for known in (self._seen, self._first, self._versions):
            known.pop(uid, None)

    def see_all(self, kind: str, found: Iterable[Mapping[str, Any]], since: int) -> None:
        """Keep what a listing shows, and forget what it does not; `since`: `clock` before the listing was asked for."""
        listed = set()
        for each in found:
            listed.add(each["metadata"]["uid"])
            self.see(kind, each)
        for uid in set(self._found[kind]) - listed:
            if self._seen[uid] <= since:
                self.forget(kind, uid)

    def run(self, uid: str) -> RunState | None:
        """Return a run, or None when it is not there any more."""
        found: RunState | None = self._found[RUNS].get(uid)
        return found

    def pod(self, uid: str) -> PoolPod | None:
        """Return a pod, or None when it is not there any more."""
        found: PoolPod | None = self._found[PODS].get(uid)
        return found

    def database_of(self, uid: str) -> PoolPod | None:
        """Return the database that a run has."""
        pods: Iterable[PoolPod] = self._found[PODS].values()
        return next((pod for pod in pods if pod.run == uid and pod.component == DATABASE and pod.is_usable), None)

    def seconds_seen(self, uid: str) -> float:
        """Return for how long an object has been known."""
        return max(0.0, time.time() - self._first[uid])

    def state(self, now: float, attended: frozenset[str], taken: frozenset[str]) -> OperatorState:
        """Return all of it as values."""
        return OperatorState(
            runs=tuple(self._found[RUNS].values()),
            pods=tuple(self._found[PODS].values()),
            pools=tuple(self._found[POOLS].values()),
            now=now,
            attended=attended,
            taken=taken,
        )
