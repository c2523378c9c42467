"""The receiver and the bot, each in a process of its own, as a cluster has them. They meet in the store."""

import threading
import time
from contextlib import ExitStack

import click

from bot.errors import DppctlError
from bot.git.command import Git
from bot.logs import get_logger
from bot.loop import Loop
from bot.store.store import Store
from bot.sync_waker import SyncWaker
from cli.servers.gunicorn import Receiver
from cli.servers.health import Health
from cli.servers.lifecycle import Parts, Setup, lock

STOP_SECONDS = 3.0
STORE_SECONDS = 60.0  # that a PostgreSQL is waited for, which may be starting with us

_log = get_logger("dppctl.up")


class ReceiverServer:
    """`start` and `stop` once each."""

    def __init__(self, setup: Setup, stopping: threading.Event) -> None:
        """Raises DppctlError."""
        if not setup.settings.sync.has_shared_token:
            click.echo("DPPCTL_SYNC_TOKEN is not set, so no sync can report here", err=True)
        open_store(setup.settings.database_url).close()  # what is wrong with it is said here, in one line
        self._stopping = stopping
        self._receiver = Receiver(setup.config, setup.settings)
        address = self._receiver.address
        self.hello = f"dppctl receives: {address}/ (webhooks go to {address}/webhooks/github)"
        self._parts = Parts(stopping, {"receiver": self._receiver.run})

    @property
    def broken(self) -> bool:
        """It ended by itself."""
        return self._parts.broken

    def start(self) -> None:
        """It is up already; from here on its end is noticed."""
        self._parts.start()

    def stop(self) -> None:
        """What it is answering may take a second."""
        self._stopping.set()
        self._receiver.stop()


class BotServer:
    """`start` and `stop` once each."""

    def __init__(self, setup: Setup, stopping: threading.Event) -> None:
        """Raises DppctlError."""
        settings = setup.settings
        if settings.sync.url and not settings.sync.has_shared_token:
            raise DppctlError("DPPCTL_SYNC_TOKEN: is not set; the sync at DPPCTL_SYNC_URL wants to see its own")
        self._stopping = stopping
        with ExitStack() as opened:  # what was opened is closed when a later step fails
            opened.enter_context(lock(settings.state_dir))
            self._git = Git(settings)
            opened.callback(self._git.close)
            store = open_store(settings.database_url)
            opened.callback(store.close)
            wake = SyncWaker(settings.sync.url, settings.sync.token.get_secret_value()) if settings.sync.url else None
            if wake:
                opened.callback(wake.stop)
            self._loop = Loop(settings, setup.targets, self._git, store, wake or (lambda: None))
            health = Health(settings.listen.host, settings.listen.port, lambda: self._loop.rounds + self._git.calls)
            opened.callback(health.stop)
            self._opened = opened.pop_all()
        self.hello = f"dppctl's bot works: {health.address}/healthz"
        self._parts = Parts(stopping, {"bot": self._loop.run, "health": health.run})

    @property
    def broken(self) -> bool:
        """A part ended by itself."""
        return self._parts.broken

    def start(self) -> None:
        """It works from here on."""
        self._parts.start()

    def stop(self) -> None:
        """What it is at is done after the next start."""
        self._stopping.set()
        self._loop.stop()
        self._git.close()
        self._parts.threads["bot"].join(STOP_SECONDS)
        self._opened.close()


def open_store(url: str, seconds: float = STORE_SECONDS) -> Store:
    """Raises DppctlError when it cannot be opened; of PostgreSQL only after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            return Store(url)
        except DppctlError as error:
            if not url.startswith("postgresql") or time.monotonic() > end:
                raise
            _log.warning("the store is waited for", error=error)
        time.sleep(1.0)
