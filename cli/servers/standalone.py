"""The receiver and the bot, each in a process of its own, as a cluster has them. The store connects them."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import ClassVar

import click

from bot.errors import DppctlError
from bot.git.command import Git
from bot.limits import STUCK_SECONDS
from bot.logs import get_logger
from bot.loop import Loop
from bot.probes import HttpServer, Probes, ProgressCheck
from bot.store.store import Store
from bot.sync_waker import SyncWaker
from cli.limits import BOT_STOP_SECONDS, STORE_SECONDS
from cli.servers.daemon import Daemon
from cli.servers.gunicorn import Receiver
from cli.servers.lifecycle import Setup, lock
from cli.servers.pages import check_receiver

_log = get_logger("dppctl.up")


class ReceiverServer(Daemon):
    """`dppctl receive`: the receiver and its dashboard."""

    def __init__(self, setup: Setup, stopping: threading.Event) -> None:
        """Start the receiver, whose end is noticed from `run` on. Raises DppctlError."""
        if not setup.settings.sync.has_shared_token:
            click.echo("DPPCTL_SYNC_TOKEN is not set, so no sync can report here", err=True)
        check_receiver(setup.settings)
        open_store(setup.settings.database_url).close()  # what is wrong with it is said here, in one line
        self._receiver = Receiver(setup.config, setup.settings)
        super().__init__(stopping, ExitStack())

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return the receiver."""
        return {"receiver": self._receiver.run}

    def hello(self) -> str:
        """Name the dashboard and where webhooks go."""
        address = self._receiver.address
        return f"dppctl receives: {address}/ (webhooks go to {address}/webhooks/github)"

    def stop(self) -> None:
        """End the receiver; what it is answering may take a second."""
        self._receiver.stop()


class BotServer(Daemon):
    """`dppctl bot`: the bot, and its /healthz."""

    finishes: ClassVar[Mapping[str, float]] = {"bot": BOT_STOP_SECONDS}

    def __init__(self, setup: Setup, stopping: threading.Event) -> None:
        """Open all that is needed. Raises DppctlError."""
        settings = setup.settings
        if settings.sync.url and not settings.sync.has_shared_token:
            raise DppctlError("DPPCTL_SYNC_TOKEN: is not set; the sync at DPPCTL_SYNC_URL wants to see its own")
        with ExitStack() as opened:  # what was opened is closed when a later step fails
            opened.enter_context(lock(settings.state_dir))
            self._git = Git(settings)
            opened.callback(self._git.close)
            store = open_store(settings.database_url)
            opened.callback(store.close)
            waker = SyncWaker(settings.sync.url, settings.sync.token.get_secret_value()) if settings.sync.url else None
            if waker:
                opened.callback(waker.stop)
            self._loop = Loop(settings, setup.targets, self._git, store, waker.wake if waker else lambda: None)
            progress = ProgressCheck(lambda: self._loop.rounds + self._git.calls + self._git.heard, STUCK_SECONDS)
            probes = Probes(healthy=lambda: progress.problem() or self._loop.problem())
            self._server = HttpServer(settings.listen.host, settings.listen.port, probes.respond)
            opened.callback(self._server.close)
            super().__init__(stopping, opened.pop_all())

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return the bot; /healthz has a thread of its own."""
        return {"bot": self._loop.run}

    def hello(self) -> str:
        """Name the address of /healthz."""
        return f"dppctl's bot works: {self._server.address}/healthz"

    def stop(self) -> None:
        """End the bot; what it is at is done after the next start."""
        self._loop.stop()
        self._git.close()


def open_store(url: str, seconds: float = STORE_SECONDS) -> Store:
    """Open the store. Raises DppctlError when that fails; for PostgreSQL only after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            return Store(url)
        except DppctlError as error:
            if not url.startswith("postgresql") or time.monotonic() > end:
                raise
            _log.warning("the store is waited for", error=error)
        time.sleep(1.0)
