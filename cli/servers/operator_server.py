"""The operator of runs on a cluster, wired together from its settings."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from bot.errors import DppctlError
from bot.kubeconfig import own_namespace
from bot.kubernetes import KubernetesClient, NoClusterError
from bot.logs import configure
from bot.settings import Settings
from bot.settings.runs import RunsSettings
from cli.limits import OPERATOR_STOP_SECONDS
from cli.private_files import keep_private
from cli.servers.daemon import Daemon
from cli.servers.lifecycle import listen, lock, read_secret, read_settings
from cluster.limits import POOL_SECONDS, PUBLISH_SECONDS
from cluster.operator.api import OperatorApi
from cluster.operator.event_files import EventFiles
from cluster.operator.http_server import OperatorHttp
from cluster.operator.operator import Operator
from cluster.operator.pool_deployer import PoolDeployer
from cluster.operator.pools import PoolPolicy
from cluster.operator.publishing import PublisherAddress
from cluster.operator.workload_store import WorkloadStore
from cluster.sync.helm.helm import Helm


class OperatorServer(Daemon):
    """`dppctl operator`: the operator, and its HTTP in the same loop."""

    finishes: ClassVar[Mapping[str, float]] = {"operator": OPERATOR_STOP_SECONDS}

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Open all that is needed. Raises DppctlError."""
        settings = read_settings(config)
        runs = settings.runs
        token = read_secret("DPPCTL_OPERATOR_TOKEN_FILE", runs.operator_token_file).strip()
        key = read_secret("DPPCTL_POOL_KEY_FILE", runs.pool_key_file)
        publisher = read_publisher(settings)
        held = [token.decode(errors="replace"), key.decode(errors="replace").strip()]
        configure([*settings.all_secrets, *held, *([publisher.token_file.read_text().strip()] if publisher else [])])
        folder = (runs.operator_dir or settings.state_dir / "operator").absolute()
        try:
            client = KubernetesClient()
            self._namespace = runs.namespace or own_namespace()
        except NoClusterError as error:
            raise DppctlError(f"no cluster: {error.reason}; let KUBECONFIG name one, or run in a pod") from None
        with ExitStack() as opened:
            try:
                keep_private(folder)
                opened.enter_context(lock(folder, "`dppctl operator`", "DPPCTL_OPERATOR_DIR"))
                workloads, events = WorkloadStore(folder / "workloads"), EventFiles(folder / "events")
            except OSError as error:
                text = f"{error.filename or folder}: {error.strerror}"
                raise DppctlError(f"{text}; the operator keeps its files there (DPPCTL_OPERATOR_DIR)") from None
            pools = make_pools(runs, folder, self._namespace, opened) if runs.max_pools else None
            self._socket = opened.enter_context(listen("DPPCTL_OPERATOR_LISTEN", runs.operator_listen))
            super().__init__(stopping, opened.pop_all())
        api = OperatorApi(client, self._namespace, PUBLISH_SECONDS if publisher else 0)
        self._operator = Operator(api, key, workloads, events, pools=pools, publisher=publisher)
        self._http = OperatorHttp(self._operator, workloads, token.decode())
        self._loop = asyncio.new_event_loop()

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return the operator."""
        return {"operator": lambda: self._loop.run_until_complete(self._serve())}

    async def _serve(self) -> None:
        runner = web.AppRunner(self._http.application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        try:
            await self._operator.run()
        finally:
            await runner.cleanup()

    def hello(self) -> str:
        """Name the address of its HTTP, and its namespace."""
        host, port = self._socket.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"dppctl operator is up: http://{address}/ (runs in namespace {self._namespace})"

    def stop(self) -> None:
        """End it at once; runs go on."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._operator.stop)


def read_publisher(settings: Settings) -> PublisherAddress | None:
    """Return where the publisher is; None: there is none. Raises DppctlError when its token cannot be read."""
    storage = settings.storage
    if not storage.publisher_url:
        return None
    read_secret("DPPCTL_PUBLISHER_TOKEN_FILE", storage.publisher_token_file)
    assert storage.publisher_token_file is not None  # noqa: S101 (read_secret has read it)
    return PublisherAddress(storage.publisher_url, storage.publisher_token_file, bool(storage.url))


def make_pools(runs: RunsSettings, folder: Path, namespace: str, opened: ExitStack) -> PoolDeployer:
    """Return what makes pools of images. Raises DppctlError."""
    values = {}
    if file := runs.pool_values_file:
        try:
            values = json.loads(file.read_bytes())
        except ValueError as error:
            raise DppctlError(f"DPPCTL_OPERATOR_POOL_VALUES_FILE: {file} is no JSON: {error}") from None
    policy = PoolPolicy(runs.max_pools, runs.pool_images, runs.pool_idle_seconds)
    # Its releases are in ConfigMaps, so that it needs no right to read Secrets.
    helm = Helm("helm", folder / "helm", POOL_SECONDS, driver="configmap")
    opened.callback(helm.close)
    chart = opened.enter_context(as_file(files("charts") / "dppctl-pipelines"))
    return PoolDeployer(helm, chart, namespace, values, policy)
