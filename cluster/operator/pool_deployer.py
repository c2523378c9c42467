"""Makes and removes pools of images by helm: the pipelines' chart, by the same code as sync."""

import asyncio
import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.errors import DppctlError, TransientError
from bot.logs import get_logger
from cluster.limits import POOL_RETRY_SECONDS
from cluster.operator.pools import DeployPool, PoolPolicy, PoolWork, RemovePool
from cluster.sync.helm.helm import Helm, HelmBusyError

_log = get_logger("dppctl.operator")


class PoolDeployer:
    """Has a helm for each pool at a time, beside the operator's loop."""

    def __init__(self, helm: Helm, chart: Path, namespace: str, values: Mapping[str, Any], policy: PoolPolicy) -> None:
        """Take the chart's folder, and values of it that all pools have."""
        self._helm, self._chart, self._namespace, self._values = helm, chart, namespace, values
        self.policy = policy
        self._changes: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, str] = {}

    @property
    def work(self) -> PoolWork:
        """Return what helm is at, and what it could not do a moment ago."""
        return PoolWork(frozenset(self._changes), dict(self._failed))

    def apply(self, decision: DeployPool | RemovePool, wake: Callable[[], None]) -> None:
        """Make or remove a pool, unless helm is at it; `wake` is called at the end."""
        name = decision.name
        if name in self._changes:
            return
        match decision:
            case DeployPool(_, image):
                task = self._change(name, lambda: self._install(name, image), wake)
            case RemovePool():
                task = self._change(name, lambda: self._uninstall(name), wake)
        self._changes[name] = asyncio.create_task(task)

    async def _change(self, name: str, change: Callable[[], None], wake: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(change)
            _log.info("pool changed", pool=name)
        except TransientError as error:
            _log.warning("pool not changed", pool=name, error=error)
            await asyncio.sleep(POOL_RETRY_SECONDS)  # until then it counts as being changed
        except DppctlError as error:
            _log.error("pool not changed", pool=name, error=error)
            self._failed[name] = f"its pool cannot be made: {' '.join(str(error).split())}"
            asyncio.get_running_loop().call_later(POOL_RETRY_SECONDS, self._failed.pop, name, None)
        finally:
            del self._changes[name]
            wake()

    def _install(self, name: str, image: str) -> None:
        own = {"enabled": True, "pool": name, "mode": "ephemeral", "replicas": 1, "image": image, "onDemand": True}
        values = {**self._values, "workers": {**self._values.get("workers", {}), **own}}
        with tempfile.TemporaryDirectory(prefix="dppctl-pool-") as folder:
            file = Path(folder, "values.json")
            file.write_text(json.dumps(values))
            stop = threading.Event()
            try:
                self._helm.apply(name, self._namespace, self._chart, [file], "", stop)
            except HelmBusyError:  # one that was killed left it so: an operator works alone
                self._uninstall(name)
                self._helm.apply(name, self._namespace, self._chart, [file], "", stop)

    def _uninstall(self, name: str) -> None:
        self._helm.uninstall(name, self._namespace, threading.Event())
