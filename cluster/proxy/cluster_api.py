"""The calls of Kubernetes' API that the proxy makes, each in a thread, some at the same time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bot.kubernetes import KubernetesClient, Object
from cluster.limits import PROXY_CALLS
from cluster.operator.model import GROUP, KIND, PLURAL, VERSION
from cluster.operator.state import COMPONENT, DATABASE, NOTICE, WORKER

T = TypeVar("T")


class ClusterApi:
    """One namespace of one cluster. All calls raise ApiError and ApiAwayError."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        """Take the client."""
        self.client = client
        self.namespace = namespace
        self._runs = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._pools = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._turns = asyncio.Semaphore(PROXY_CALLS)

    async def runs(self) -> list[Object]:
        """Return all runs."""
        return await self._call(lambda: self.client.list(self._runs))

    async def run(self, name: str) -> Object | None:
        """Return a run; None: there is none of this name."""
        return await self._call(lambda: self.client.get(f"{self._runs}/{name}"))

    async def create_run(self, name: str, spec: Object) -> Object:
        """Create a run, and return it. Raises ApiError 409 when there is one of this name."""
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": name}, "spec": spec}
        return await self._call(lambda: self.client.create(self._runs, body))

    async def stop_run(self, found: Object, by: str, reason: str = "UserStop", message: str = "") -> Object:
        """Ask for the end of a run, and return it. Raises ApiError 409 when another one has its name by now."""
        stop = {"requested": True, "reason": reason, "by": by, **({"message": message} if message else {})}
        return await self._change(found, {"spec": {"stop": stop}})

    async def notify(self, found: Object, message: str) -> Object:
        """Leave a notice for who follows a run, in place of one before, and return the run."""
        return await self._change(found, {"metadata": {"annotations": {NOTICE: message}}})

    async def _change(self, found: Object, change: Object) -> Object:
        about = found["metadata"]
        change = {**change, "metadata": {**change.get("metadata", {}), "uid": about["uid"]}}
        return await self._call(lambda: self.client.patch(f"{self._runs}/{about['name']}", change))

    async def pods(self) -> list[Object]:
        """Return the pods of all pools."""
        return await self._call(lambda: self.client.list(self._pods, f"{COMPONENT} in ({WORKER},{DATABASE})"))

    async def pod(self, name: str) -> Object | None:
        """Return a pod of a pool; None: there is none of this name."""
        found = await self._call(lambda: self.client.get(f"{self._pods}/{name}"))
        labels = (found or {}).get("metadata", {}).get("labels") or {}
        return found if labels.get(COMPONENT) in (WORKER, DATABASE) else None

    async def remove_pod(self, found: Object) -> None:
        """Delete a pod. Raises ApiError 409 when another one has its name by now."""
        about = found["metadata"]
        await self._call(lambda: self.client.delete(f"{self._pods}/{about['name']}", about["uid"]))

    async def pools(self) -> list[Object]:
        """Return the Deployments of all pools of workers."""
        return await self._call(lambda: self.client.list(self._pools, f"{COMPONENT}={WORKER}"))

    async def _call(self, call: Callable[[], T]) -> T:
        async with self._turns:
            return await asyncio.to_thread(call)
