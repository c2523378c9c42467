"""The publisher of a cluster, wired together from its settings."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar

import aiohttp
from aiohttp import web

from bot.errors import DppctlError
from bot.logs import configure
from bot.settings import Settings
from cli.limits import PUBLISHER_STOP_SECONDS
from cli.private_files import keep_private
from cli.servers.daemon import Daemon
from cli.servers.lifecycle import listen, lock, read_secret, read_settings
from cluster.publisher.engines.bucket import BucketEngine
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.engines.rclone import Rclone
from cluster.publisher.expiry import expire
from cluster.publisher.publications import Publications, StorageTarget
from cluster.publisher.records import PublicationFolder
from cluster.publisher.server import PublisherHttp


class PublisherServer(Daemon):
    """`dppctl publisher`: takes what runs wrote from their workers, and puts it into the storage."""

    finishes: ClassVar[Mapping[str, float]] = {"publisher": PUBLISHER_STOP_SECONDS}

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Open all that is needed. Raises DppctlError."""
        settings = read_settings(config)
        self._token = read_secret("DPPCTL_PUBLISHER_TOKEN_FILE", settings.storage.publisher_token_file).decode().strip()
        self._password, self._settings = "", settings.storage
        self._keep_days = settings.public_cluster.keep_days if settings.public_cluster.enabled else 0
        remote = settings.storage.publisher_remote
        self._is_bucket = bool(remote) and not remote.startswith("/")
        if remote and not settings.storage.url:
            raise DppctlError("DPPCTL_STORAGE_URL: is not set; it is how people reach what is published")
        if self._is_bucket:
            file = settings.storage.rclone_password_file
            self._password = read_secret("DPPCTL_RCLONE_PASSWORD_FILE", file).decode().strip()
        configure([*settings.all_secrets, *filter(None, (self._token, self._password))])
        with ExitStack() as opened:
            self._scratch = _open_scratch(settings, opened)
            try:
                self._folder = FolderEngine(Path(remote)) if remote and not self._is_bucket else None
            except OSError as error:
                raise DppctlError(f"DPPCTL_PUBLISHER_REMOTE: {error.filename or remote}: {error.strerror}") from None
            self._socket = opened.enter_context(listen("DPPCTL_PUBLISHER_LISTEN", settings.storage.publisher_listen))
            super().__init__(stopping, opened.pop_all())
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return the publisher."""
        return {"publisher": lambda: self._loop.run_until_complete(self._serve())}

    async def _serve(self) -> None:
        async with aiohttp.ClientSession(trust_env=False) as session:
            publications = Publications(self._scratch, self._storage(session))
            application = PublisherHttp(publications, self._token).application()
            runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
            working = asyncio.create_task(publications.run())
            stopped = asyncio.create_task(self._stop.wait())
            tasks = {working, stopped}
            if self._folder and self._keep_days:
                root = Path(self._settings.publisher_remote)
                tasks.add(asyncio.create_task(expire(self._folder, root, self._keep_days)))
            try:
                await runner.setup()
                await web.SockSite(runner, self._socket).start()
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await runner.cleanup()

    def _storage(self, session: aiohttp.ClientSession) -> StorageTarget | None:
        if self._folder:
            return StorageTarget(self._folder, self._settings.url)
        if self._is_bucket:
            rclone = Rclone(session, self._settings.rclone_url, self._password)
            return StorageTarget(BucketEngine(rclone, self._settings.publisher_remote), self._settings.url)
        return None

    def hello(self) -> str:
        """Name the address of its HTTP, and where it publishes."""
        host, port = self._socket.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        remote = self._settings.publisher_remote or "nothing: it keeps files for who asks for them"
        return f"dppctl publisher is up: http://{address}/ (publishes to {remote})"

    def stop(self) -> None:
        """End it at once; the next one goes on with what it did."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stop.set)


def _open_scratch(settings: Settings, opened: ExitStack) -> PublicationFolder:
    folder = (settings.storage.publisher_dir or settings.state_dir / "publisher").absolute()
    try:
        keep_private(folder)
        opened.enter_context(lock(folder, "`dppctl publisher`", "DPPCTL_PUBLISHER_DIR"))
        return PublicationFolder(folder)
    except OSError as error:
        text = f"{error.filename or folder}: {error.strerror}"
        raise DppctlError(f"{text}; the publisher keeps its files there (DPPCTL_PUBLISHER_DIR)") from None
