"""The calls of Kubernetes' API that the operator makes, each in a thread, some at the same time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from bot.kubernetes import ApiError, KubernetesClient, Object
from cluster.limits import OPERATOR_CALLS, RUN_GRACE_SECONDS
from cluster.operator.model import GROUP, KIND, PLURAL, VERSION
from cluster.operator.seen_objects import PODS, POOLS, RUNS
from cluster.operator.state import (
    ASSIGNED,
    AVAILABLE,
    COMPONENT,
    DATABASE,
    EPHEMERAL,
    POOL,
    RUN,
    STATE,
    WORKER,
    PoolPod,
    RunState,
)

T = TypeVar("T")
_ESCAPED = {name: name.replace("/", "~1") for name in (STATE, RUN)}  # https://www.rfc-editor.org/rfc/rfc6901
_OF_POOLS = f"{COMPONENT} in ({WORKER},{DATABASE}),{POOL}"


class OperatorApi:
    """One namespace of one cluster. All calls raise ApiError and ApiAwayError."""

    def __init__(self, client: KubernetesClient, namespace: str, publish_seconds: int = 0) -> None:
        """Take the client; `publish_seconds`: that a run's publication may take, beside its time limit."""
        self._client, self._publish_seconds = client, publish_seconds
        self.namespace = namespace
        self._paths = {
            RUNS: f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}",
            PODS: f"/api/v1/namespaces/{namespace}/pods",
            POOLS: f"/apis/apps/v1/namespaces/{namespace}/deployments",
        }
        self._turns = asyncio.Semaphore(OPERATOR_CALLS)

    async def list(self, kind: str) -> list[Object]:
        """Return all runs, pods of pools, or pools."""
        return await self._call(lambda: self._client.list(self._paths[kind], "" if kind == RUNS else _OF_POOLS))

    async def claim(self, run: RunState, pod: PoolPod) -> Object | None:
        """Give a waiting worker or database to a run, by one patch, and return the pod.

        None: somebody else has it, or it changed.
        The pod becomes the run's own: its pool starts another one, and it goes with the run.
        """
        operations: list[Object] = [
            {"op": "test", "path": f"/metadata/labels/{_ESCAPED[STATE]}", "value": AVAILABLE},
            {"op": "test", "path": "/metadata/uid", "value": pod.uid},
            {"op": "replace", "path": f"/metadata/labels/{_ESCAPED[STATE]}", "value": ASSIGNED},
            {"op": "add", "path": f"/metadata/labels/{_ESCAPED[RUN]}", "value": run.uid},
        ]
        if pod.mode == EPHEMERAL and run.spec:
            owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "name": run.name, "uid": run.uid}
            owners = [{**owner, "controller": True, "blockOwnerDeletion": False}]
            # It counts from the pod's start, and holds when nobody is there to end the run.
            deadline = int(time.time() - pod.started) + run.spec.timeout_seconds + RUN_GRACE_SECONDS
            if run.spec.publish != "none":
                deadline += self._publish_seconds
            if pod.component == DATABASE:  # which the run has before its worker, and keeps
                deadline += run.spec.pending_seconds + run.spec.keep_seconds
            operations += [
                {"op": "replace", "path": "/metadata/ownerReferences", "value": owners},
                {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": deadline},
            ]
        try:
            found = await self._call(lambda: self._client.patch(f"{self._paths[PODS]}/{pod.name}", operations))
        except ApiError as error:
            if error.status in (404, 409, 422):
                return None
            raise
        return None if "deletionTimestamp" in found["metadata"] else found

    async def release(self, pod: PoolPod) -> Object | None:
        """Have a worker of a persistent pool wait again, and return the pod; None: it has another run, or is gone."""
        operations: list[Object] = [
            {"op": "test", "path": f"/metadata/labels/{_ESCAPED[RUN]}", "value": pod.run},
            {"op": "test", "path": "/metadata/uid", "value": pod.uid},
            {"op": "replace", "path": f"/metadata/labels/{_ESCAPED[STATE]}", "value": AVAILABLE},
            {"op": "remove", "path": f"/metadata/labels/{_ESCAPED[RUN]}"},
        ]
        try:
            return await self._call(lambda: self._client.patch(f"{self._paths[PODS]}/{pod.name}", operations))
        except ApiError as error:
            if error.status in (404, 409, 422):
                return None
            raise

    async def write_status(self, run: RunState, status: Object) -> Object | None:
        """Merge into a run's status, and return the run; None: it is gone."""
        path = f"{self._paths[RUNS]}/{run.name}/status"
        try:
            return await self._call(lambda: self._client.patch(path, {"metadata": {"uid": run.uid}, "status": status}))
        except ApiError as error:
            if error.status in (404, 409):  # 409: another run has this name now
                return None
            raise

    async def create_run(self, name: str, spec: Object) -> None:
        """Create a run, unless there is one of this name."""
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": name}, "spec": spec}
        try:
            await self._call(lambda: self._client.create(self._paths[RUNS], body))
        except ApiError as error:
            if error.status != 409:
                raise

    async def remove_pod(self, pod: PoolPod) -> None:
        """Delete a pod, and none that has its name by now."""
        await self._remove(f"{self._paths[PODS]}/{pod.name}", pod.uid)

    async def remove_run(self, run: RunState) -> None:
        """Delete a run, and with it what is its own."""
        await self._remove(f"{self._paths[RUNS]}/{run.name}", run.uid)

    async def _remove(self, path: str, uid: str) -> None:
        try:
            await self._call(lambda: self._client.delete(path, uid))
        except ApiError as error:
            if error.status != 409:  # another one of this name
                raise

    async def _call(self, call: Callable[[], T]) -> T:
        async with self._turns:
            return await asyncio.to_thread(call)
