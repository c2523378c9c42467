"""`dppctl up`: the servers of one machine, wired together.

Bot and sync are threads of this process, which wake each other; the receiver is a child, which tells the bot through
the store.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.loop import Loop
from bot.model.names import RepoPath
from bot.settings import Settings
from bot.store.store import Store
from cli.limits import UP_STOP_SECONDS
from cli.servers.daemon import Daemon
from cli.servers.gunicorn import ALL_IN_ONE, Receiver
from cli.servers.lifecycle import lock, set_up
from cli.servers.local_data import told_of
from cli.servers.pages import ENVIRONMENTS, prepare_all_in_one
from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from cluster.sync.local.data_server import DataServer
from cluster.sync.local.storage_server import Storages
from cluster.sync.local.sync import LocalSync
from cluster.sync.reporter import Reporter
from worker.zipapp_builder import build


class AllInOne(Daemon):
    """Receiver, bot and local sync."""

    finishes: ClassVar[Mapping[str, float]] = {"bot": UP_STOP_SECONDS, "sync": UP_STOP_SECONDS}

    def __init__(self, config: Path, say: Callable[[str], None], stopping: threading.Event) -> None:
        """Open all that is needed; `say` gets a line for what takes long. Raises DppctlError."""
        setup = set_up(config)
        settings, targets = setup.settings, setup.targets
        if settings.deployed_by != "sync":
            raise DppctlError(
                "DPPCTL_DEPLOYED_BY: `dppctl up` deploys by itself; use `dppctl receive` and `dppctl bot`"
            )
        environments = settings.state_dir / ENVIRONMENTS
        zipapp = settings.state_dir / "worker.pyz"

        def runtime(workload: Path | None, stop: threading.Event) -> DppEnvironment:
            return ensure_dpp_environment(cache_dir(), workload, say, stop)

        with ExitStack() as opened:  # what was opened is closed when a later step fails
            opened.enter_context(lock(settings.state_dir))
            self._git = Git(settings)
            opened.callback(self._git.close)
            build(zipapp)
            prepare_all_in_one(settings, targets)
            runtime(None, stopping)  # now, not at the first push
            self._store = Store(settings.database_url)
            opened.callback(self._store.close)
            given = settings.storage
            self._storages = Storages(settings.storage_port, environments, targets, host=given.host, url=given.url)
            opened.callback(self._storages.close)
            data = DataServer(environments)
            opened.callback(data.close)
            self._loop = Loop(settings, targets, self._git, self._store, on_change=lambda: self._sync.wake())
            self._receiver = Receiver(
                config,
                settings,
                application=ALL_IN_ONE,
                on_delivery=self._loop.look,
                more=told_of(data, self._storages),
            )
            opened.callback(self._receiver.stop)
            super().__init__(stopping, opened.pop_all())
        repositories = {target.app.repository for target in targets} | {target.ops.repository for target in targets}
        self._sync = LocalSync(
            targets=targets,
            repositories={name: self._mirror(settings, name) for name in repositories},
            environments=environments,
            zipapp=zipapp,
            runtime=runtime,
            report=Reporter(self._receiver.here, settings.sync.token.get_secret_value(), stopping).post,
            stopping=stopping,
            concurrency=settings.sync.concurrency,
            registry_auth_file=settings.images.registry_auth_file,
            shares_network=settings.sync.network == "host",
            storage_url=self._storages.url,
            keeps=settings.sync.kept_releases,
        )

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return receiver, bot and sync."""
        return {"receiver": self._receiver.run, "bot": self._loop.run, "sync": self._sync.run}

    def hello(self) -> str:
        """Name the dashboard and where webhooks go."""
        self._receiver.wait_until_up(self.stopping)
        address = self._receiver.here
        return f"dppctl is up: {address}/ (webhooks go to {address}/webhooks/github)"

    def stop(self) -> None:
        """End sync and bot, with the processes that they started; the receiver ends last, for sync may still report."""
        self._sync.stop()
        self._loop.stop()
        self._git.close()

    def _mirror(self, settings: Settings, name: str) -> Mirror:
        """Return sync's own copy of an ops repo: a mirror is not shared between threads."""
        folder = settings.state_dir / "sync" / RepoPath(name).slug
        return Mirror(self._git, settings.github.repository_url(name), folder)
