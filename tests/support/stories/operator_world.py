"""A namespace of a real API server with a pool of workers, where a thread does what a kubelet would.

It marks the pool's pods as running and ready, and serves the worker of each (worker/server.py, with its real HTTP) on
an address of its own on loopback. What a run does is said by the names of its pipelines.
"""

import asyncio
import hashlib
import io
import json
import os
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from bot.errors import DppctlError
from bot.kubernetes import KubernetesClient, Object
from cluster.limits import PUBLISH_SECONDS
from cluster.operator.api import OperatorApi
from cluster.operator.event_files import EventFiles
from cluster.operator.http_server import OperatorHttp
from cluster.operator.operator import Operator
from cluster.operator.pool_deployer import PoolDeployer
from cluster.operator.publishing import PublisherAddress
from cluster.operator.workers import token_of
from cluster.operator.workload_store import WorkloadStore
from tests.support.stories.github import free_port
from tests.support.waiting import eventually
from worker.server import WorkerServer

KEY = b"the pools' key"
TOKEN = "of the proxy"
CRD = Path(__file__).parents[3] / "charts" / "dppctl" / "crds" / "pipelineruns.yaml"
_addresses = (f"127.9.{high}.{low}" for high in range(os.getpid() % 200, 250) for low in range(1, 250))


class RunsNamespace:
    """A namespace for runs: `operator()` runs an operator; `ask` creates a run; `run` returns it as it is now."""

    def __init__(self, folder: Path, kubeconfig: str, namespace: str, port: int) -> None:
        self.api = KubernetesClient(kubeconfig)
        self.namespace = namespace
        self.workloads, self.events = folder / "workloads", folder / "events"
        self.workloads.mkdir()
        self.port = port
        self.http_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"  # of the operator's HTTP
        self.pools: PoolDeployer | None = None  # of the next operator
        self.publisher: PublisherAddress | None = None  # the same
        self.workload: dict[str, object] = {}  # of runs that are asked for without one
        self.loop: asyncio.AbstractEventLoop | None = None  # of the operator
        self._make_kind()

    def pack(self, files: dict[str, str]) -> dict[str, object]:
        """Put a workload where the operator finds it, and return what a run's spec says of it."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        digest = hashlib.sha256(content.getvalue()).hexdigest()
        (self.workloads / digest).write_bytes(content.getvalue())
        return {"sha256": digest, "bytes": len(content.getvalue())}

    @contextmanager
    def operator(self) -> Iterator[Operator]:
        """Have an operator in this context; it is ended as by a kill: what it was at is left as it is."""
        loop = self.loop = asyncio.new_event_loop()
        made: list[Operator] = []

        async def work() -> None:
            workloads, events = WorkloadStore(self.workloads), EventFiles(self.events)
            api = OperatorApi(self.api, self.namespace, PUBLISH_SECONDS if self.publisher else 0)
            operator = Operator(api, KEY, workloads, events, self.port, self.pools, self.publisher)
            runner = web.AppRunner(OperatorHttp(operator, workloads, TOKEN).application(), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.http_port).start()
            made.append(operator)
            try:
                await operator.run()
            finally:
                await runner.cleanup()

        task = loop.create_task(work())

        def run() -> None:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)

        thread = threading.Thread(target=run)
        thread.start()
        eventually(lambda: made, "it begins")
        try:
            yield made[0]
        finally:
            loop.call_soon_threadsafe(made[0].stop)
            thread.join()
            loop.close()
            if not task.cancelled():
                task.result()

    def ask(self, *pipelines: str, name: str = "", **spec: object) -> str:
        """Create a run and return its name."""
        name = name or f"run-{uuid.uuid4().hex[:8]}"
        body = {
            "apiVersion": "dppctl.io/v1alpha1",
            "kind": "PipelineRun",
            "metadata": {"name": name},
            "spec": {"pipelines": pipelines, "workload": self.workload, **spec},
        }
        self.api.create(self.path(), body)
        return name

    def run(self, name: str) -> Object:
        found = self.api.get(f"{self.path()}/{name}")
        assert found
        return found

    def status(self, name: str) -> dict[str, Any]:
        return self.run(name).get("status") or {}

    def until(self, name: str, *phases: str) -> dict[str, Any]:
        """Wait until a run is in one of the phases, and return its status."""
        eventually(lambda: self.status(name).get("phase") in phases, f"{name} is {phases}")
        return self.status(name)

    def stop(self, name: str) -> None:
        self.api.patch(f"{self.path()}/{name}", {"spec": {"stop": {"requested": True, "by": "ann"}}})

    def path(self) -> str:
        return f"/apis/dppctl.io/v1alpha1/namespaces/{self.namespace}/pipelineruns"

    def pods(self) -> list[Object]:
        return self.api.list(f"/api/v1/namespaces/{self.namespace}/pods")

    def remove_pod(self, name: str) -> None:
        self.api.delete(f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    def events_of(self, name: str) -> list[dict[str, Any]]:
        file = self.events / f"{self.run(name)['metadata']['uid']}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()]

    def _make_kind(self) -> None:
        definition = yaml.safe_load(CRD.read_text())
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.api.apply(f"{path}/{definition['metadata']['name']}", definition, "tests")
        eventually(lambda: self._is_served(), "the API server knows the kind")

    def _is_served(self) -> bool:
        try:
            self.api.list("/apis/dppctl.io/v1alpha1/pipelineruns")
        except DppctlError:
            return False
        return True


class OperatorWorld(RunsNamespace):
    """The namespace with a pool and without a kubelet: the API server is enough."""

    def __init__(
        self, folder: Path, kubeconfig: str, port: int, *, waiting: int = 2, most: int = 10, databases: int = 0
    ) -> None:
        super().__init__(folder, kubeconfig, f"runs-{uuid.uuid4().hex[:8]}", port)
        self.workers: dict[str, WorkerServer] = {}  # by the uids of the pods
        self.handed: dict[str, list[float]] = {}  # when each run was handed over, the first one first
        self.environments: dict[str, dict[str, str]] = {}  # that their workers were given, by the uids of the runs
        self._folder = folder
        self._running: set[str] = set()  # the uids of the pods
        self._ended = threading.Event()
        self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.workload = self.pack({})
        self._make_pool(waiting, most)
        if databases:
            self._make_pool(databases, most, "database")
        self._kubelet = threading.Thread(target=self._be_kubelet)
        self._kubelet.start()

    def close(self) -> None:
        self._ended.set()
        self._kubelet.join()
        for server in self.workers.values():
            server.end()
            server.server_close()
        self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def _make_pool(self, waiting: int, most: int, component: str = "worker") -> None:
        labels = {"app.kubernetes.io/component": component, "dppctl.io/pool": "default", "dppctl.io/mode": "ephemeral"}
        state = {**labels, "dppctl.io/state": "available"}
        notes = {"dppctl.io/most": str(most)}
        body = {
            "metadata": {"name": f"dppctl-{component}s-default", "labels": labels, "annotations": notes},
            "spec": {
                "replicas": waiting,
                "selector": {"matchLabels": state},
                "template": {
                    "metadata": {"labels": state},
                    "spec": {"containers": [{"name": component, "image": "example.org/image:1"}]},
                },
            },
        }
        self.api.create(f"/apis/apps/v1/namespaces/{self.namespace}/deployments", body)

    def _be_kubelet(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(DppctlError):
                for pod in self.pods():
                    if pod["metadata"]["uid"] not in self._running:
                        self._start(pod)
                        self._running.add(pod["metadata"]["uid"])

    def _start(self, pod: Object) -> None:
        about = pod["metadata"]
        address = next(_addresses)
        if about["labels"]["app.kubernetes.io/component"] == "worker":
            folder = self._folder / about["uid"]
            folder.mkdir(exist_ok=True)
            server = _Worker((address, self.port), token_of(KEY, about["uid"]), folder, self)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self.workers[about["uid"]] = server
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods/{about['name']}/status"
        self.api.patch(path, {"status": status})

    def set_status(self, pod: str, status: Object) -> None:
        """Say of a pod what its kubelet would."""
        self.api.patch(f"/api/v1/namespaces/{self.namespace}/pods/{pod}/status", {"status": status})


class _Worker(WorkerServer):
    def __init__(self, address: tuple[str, int], token: str, folder: Path, world: OperatorWorld) -> None:
        super().__init__(address, token, folder)
        self._world = world

    def start_run(self, request: dict[str, Any]) -> bool:
        if self.state == "waiting":
            self._world.handed.setdefault(request["run"], []).append(time.time())
            self._world.environments[request["run"]] = request["environment"]
        return super().start_run(request)


def wait_a_moment() -> None:
    """Wait for something that is not to happen."""
    time.sleep(0.5)
