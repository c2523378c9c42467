"""The newest of each object that the watch, the listings and our own calls showed."""

from collections.abc import Iterable, Mapping
from typing import Any

from cluster.operator.state import OperatorState, RunState, WorkerPod, read_pod, read_pool, read_run

RUNS, PODS, POOLS = "runs", "pods", "pools"


class SeenObjects:
    """SeenObjects by kind and uid; for one thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[str, dict[str, Mapping[str, Any]]] = {RUNS: {}, PODS: {}, POOLS: {}}
        self._seen: dict[str, int] = {}  # by uid, when it was shown last
        self.clock = 0  # counts what was shown

    def see(self, kind: str, found: Mapping[str, Any]) -> None:
        """Keep an object, unless a newer state of it is known."""
        about = found["metadata"]
        known = self._found[kind].get(about["uid"])
        self.clock += 1
        self._seen[about["uid"]] = self.clock
        # https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions: decimal numbers that grow
        if known is None or int(about["resourceVersion"]) >= int(known["metadata"]["resourceVersion"]):
            self._found[kind][about["uid"]] = found

    def forget(self, kind: str, uid: str) -> None:
        """Forget an object that is gone."""
        self._found[kind].pop(uid, None)
        self._seen.pop(uid, None)

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
        found = self._found[RUNS].get(uid)
        return read_run(found) if found else None

    def pod(self, uid: str) -> WorkerPod | None:
        """Return a pod, or None when it is not there any more."""
        found = self._found[PODS].get(uid)
        return read_pod(found) if found else None

    def state(self, now: float, attended: frozenset[str], taken: frozenset[str]) -> OperatorState:
        """Return all of it as values."""
        return OperatorState(
            runs=tuple(map(read_run, self._found[RUNS].values())),
            pods=tuple(map(read_pod, self._found[PODS].values())),
            pools=tuple(map(read_pool, self._found[POOLS].values())),
            now=now,
            attended=attended,
            taken=taken,
        )
