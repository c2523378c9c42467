"""The servers of one machine, wired together: threads of one process that share the store and wake each other."""

import fcntl
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from werkzeug.serving import WSGIRequestHandler, make_server

from bot.errors import BotError
from bot.git import Git
from bot.logs import configure
from bot.loop import Loop
from bot.mirror import Mirror
from bot.names import RepoPath
from bot.registration import REGISTRATION_FILE, read_registration
from bot.settings import Settings, load_settings
from bot.store import Store
from cluster.local.folders import cache_dir
from cluster.local.runtime import Runtime, ensure_runtime
from cluster.sync.local import LocalSync
from cluster.sync.report import Reporter
from webhooks.app import create_app
from worker.build import build

STOP_SECONDS = 4.0  # for all parts together; what has not ended then ends with the process

_log = logging.getLogger("dppctl.up")


class Stack:
    """Receiver, bot and sync. `start` and `stop` once each."""

    def __init__(self, config: Path, say: Callable[[str], None], stopping: threading.Event) -> None:
        """Sets up all that is needed; `say` gets a line for what takes long.

        `stopping` is set by the owner to end all, or by a part that broke. Raises BotError or ClusterError.
        """
        settings = load_settings(config)
        targets = read_registration(config / REGISTRATION_FILE)
        configure(settings.all_secrets)
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(settings.state_dir)
        zipapp = settings.state_dir / "worker.pyz"
        build(zipapp)

        def runtime(requirements: Path | None) -> Runtime:
            return ensure_runtime(cache_dir(), requirements, say)

        runtime(None)  # now, not at the first push
        self._stopping = stopping
        self.broken = False
        self._git = Git(settings)
        self._store = Store(settings.database)
        self._loop = Loop(settings, targets, self._git, self._store, on_change=lambda: self._sync.wake())
        apps = frozenset(target.app.repository for target in targets)
        receiver = create_app(settings, apps, self._store, self._loop.wake)
        self._server = make_server(settings.host, settings.port, receiver, threaded=True, request_handler=_QuietHandler)
        self.address = f"http://{settings.host}:{self._server.server_port}"
        self._sync = LocalSync(
            targets=targets,
            repositories={
                name: self._mirror(settings, name) for name in apps | {target.ops.repository for target in targets}
            },
            environments=settings.state_dir / "environments",
            zipapp=zipapp,
            runtime=runtime,
            report=Reporter(self.address, settings.sync_token.get_secret_value(), stopping),
            stopping=stopping,
        )
        parts = {"receiver": self._server.serve_forever, "bot": self._loop.run, "sync": self._sync.run}
        self._threads = [
            threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
            for name, work in parts.items()
        ]

    def start(self) -> None:
        """All parts run from here on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends all parts and the processes that they started."""
        self._sync.stop()
        self._loop.stop()
        self._git.close()
        self._server.shutdown()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._server.server_close()
        self._store.close()
        self._lock.close()

    def _mirror(self, settings: Settings, name: str) -> Mirror:
        """Sync's own copy: a mirror is not shared between threads."""
        folder = settings.state_dir / "sync" / RepoPath(name).slug
        return Mirror(self._git, settings.repository_url(name), folder)

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        """A part that breaks ends the whole: whoever supervises us starts it afresh, and git says what to do."""
        try:
            work()
        except BaseException:
            self.broken = True
            _log.exception("part=%s broke", name)
            raise
        finally:
            self._stopping.set()


class _QuietHandler(WSGIRequestHandler):
    """No line for each request: the receiver logs what matters about each delivery."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _lock(state: Path) -> IO[str]:
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BotError(f"another `dppctl up` uses {state}; stop it, or set DPPCTL_STATE_DIR") from None
    return file
