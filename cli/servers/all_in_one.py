"""The servers of one machine, wired together.

Bot and sync are threads of this process, which wake each other; the receiver is a child, which tells the bot through
the store.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.loop import Loop
from bot.model.names import RepoPath
from bot.settings import Settings
from bot.store.store import Store
from cli.servers.gunicorn import Receiver
from cli.servers.lifecycle import Parts, lock, set_up
from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from cluster.sync.local.storage_server import Storages
from cluster.sync.local.sync import LocalSync
from cluster.sync.reporter import Reporter
from worker.zipapp_builder import build

STOP_SECONDS = 2.5  # for bot and sync together; then the receiver has its turn, and what is left ends with us


class AllInOne:
    """Receiver, bot and sync. `start` and `stop` once each."""

    def __init__(self, config: Path, say: Callable[[str], None], stopping: threading.Event) -> None:
        """Sets up all that is needed; `say` gets a line for what takes long.

        `stopping` is set by the owner to end all, or by a part that broke. Raises DppctlError or ClusterError.
        """
        setup = set_up(config)
        settings, targets = setup.settings, setup.targets
        if settings.deployed_by != "sync":
            raise DppctlError(
                "DPPCTL_DEPLOYED_BY: `dppctl up` deploys by itself; use `dppctl receive` and `dppctl bot`"
            )
        environments = settings.state_dir / "environments"
        zipapp = settings.state_dir / "worker.pyz"

        def runtime(requirements: Path | None, stop: threading.Event) -> DppEnvironment:
            return ensure_dpp_environment(cache_dir(), requirements, say, stop)

        self._stopping = stopping
        with ExitStack() as opened:  # what was opened is closed when a later step fails
            opened.enter_context(lock(settings.state_dir))
            build(zipapp)
            runtime(None, stopping)  # now, not at the first push
            self._git = Git(settings)
            opened.callback(self._git.close)
            self._store = Store(settings.database_url)
            opened.callback(self._store.close)
            self._storages = Storages(settings.listen.storage_port, environments, targets)
            opened.callback(self._storages.close)
            self._receiver = Receiver(config, settings)
            opened.callback(self._receiver.stop)
            self._opened = opened.pop_all()
        address = self._receiver.address
        self.hello = f"dppctl is up: {address}/ (webhooks go to {address}/webhooks/github)"
        self._loop = Loop(settings, targets, self._git, self._store, on_change=lambda: self._sync.wake())
        repositories = {target.app.repository for target in targets} | {target.ops.repository for target in targets}
        self._sync = LocalSync(
            targets=targets,
            repositories={name: self._mirror(settings, name) for name in repositories},
            environments=environments,
            zipapp=zipapp,
            runtime=runtime,
            report=Reporter(self._receiver.here, settings.sync.token.get_secret_value(), stopping),
            stopping=stopping,
            concurrency=settings.sync.concurrency,
            registry_auth_file=settings.images.registry_auth_file,
            storage_url=self._storages.url,
        )
        works = {"receiver": self._receiver.run, "bot": self._loop.run, "sync": self._sync.run}
        self._parts = Parts(stopping, works)

    @property
    def broken(self) -> bool:
        """A part ended by itself."""
        return self._parts.broken

    def start(self) -> None:
        """All parts run from here on."""
        self._parts.start()

    def stop(self) -> None:
        """Ends all parts and the processes that they started, the receiver last: sync may still report."""
        self._stopping.set()
        self._sync.stop()
        self._loop.stop()
        self._git.close()
        deadline = time.monotonic() + STOP_SECONDS
        for name in ("bot", "sync"):
            self._parts.threads[name].join(max(0.0, deadline - time.monotonic()))
        self._opened.close()

    def _mirror(self, settings: Settings, name: str) -> Mirror:
        """Sync's own copy: a mirror is not shared between threads."""
        folder = settings.state_dir / "sync" / RepoPath(name).slug
        return Mirror(self._git, settings.github.repository_url(name), folder)
