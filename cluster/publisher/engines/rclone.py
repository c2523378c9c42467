"""Calls to rclone's daemon (`rclone rcd`), which alone has the bucket's credentials.

https://rclone.org/rc/
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from bot.errors import PermanentError
from bot.logs import get_logger
from cluster.publisher.errors import StorageAwayError
from cluster.publisher.limits import COPY_SILENCE_SECONDS, RCLONE_LOOK_SECONDS, RCLONE_SECONDS, RCLONE_TRIES
from cluster.publisher.rclone_password import USER

_log = get_logger("dppctl.publisher")
_T = TypeVar("_T")
_NOT_FOUND = ("not found", "doesn't exist", "does not exist")


class RcloneRefusedError(PermanentError):
    """The storage does not take it; the message has rclone's reason."""

    def __init__(self, reason: str) -> None:
        first = " ".join(reason.split())[:500]
        super().__init__(f"the storage does not take it: rclone: {first}; look at the bucket and its credentials")
        self.is_missing = any(words in reason for words in _NOT_FOUND)


class Rclone:
    """An rclone daemon. All calls raise RcloneRefusedError, and StorageAwayError when it does not come back."""

    def __init__(self, session: aiohttp.ClientSession, url: str, password: str) -> None:
        self._session, self._url = session, url.rstrip("/")
        self._auth = aiohttp.BasicAuth(USER, password)
        self._timeout = aiohttp.ClientTimeout(total=RCLONE_SECONDS)

    async def call(self, command: str, **options: Any) -> dict[str, Any]:
        """Have it do something that takes no long time, and return its answer."""
        return await self._tried(self._call, command, options)

    async def run(self, command: str, **options: Any) -> None:
        """Have it do something that may take long, and wait for the end. One that was ended begins again."""
        await self._tried(self._run, command, options)

    async def upload(self, fs: str, folder: str, name: str, content: bytes) -> None:
        """Write a small file, which nobody is to keep a copy of unasked."""
        config = json.dumps({"UploadHeaders": [{"Key": "Cache-Control", "Value": "no-cache"}]})
        await self._tried(self._upload, {"fs": fs, "remote": folder, "_config": config}, name, content)

    async def download(self, fs: str, path: str, limit: int) -> bytes | None:
        """Return a small file's content; None: there is no such file. It is what `rclone rcd --rc-serve` is for."""
        return await self._tried(self._download, f"{self._url}/[{quote(fs, safe=':/')}]/{quote(path)}", limit)

    async def _tried(self, do: Callable[..., Awaitable[_T]], *given: Any) -> _T:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(StorageAwayError),
            stop=stop_after_attempt(RCLONE_TRIES),
            wait=wait_random_exponential(0.5, max=10),
            reraise=True,
        ):
            with attempt:
                return await do(*given)
        raise AssertionError("it returns or raises")

    async def _run(self, command: str, options: dict[str, Any]) -> None:
        # All calls are jobs with a number each, which begin at 1 with each daemon: one that was started again may have
        # another job, such as the very question for it, by the number of ours. The group is ours alone.
        group = f"dppctl-{uuid.uuid4().hex}"
        job = (await self._call(command, {**options, "_async": True, "_group": group}))["jobid"]
        look, most = RCLONE_LOOK_SECONDS
        moved, since = -1, time.monotonic()
        while True:
            await asyncio.sleep(look)
            look = min(look * 1.5, most)
            try:
                status = await self._call("job/status", {"jobid": job})
                stats = await self._call("core/stats", {"group": group})
            except RcloneRefusedError as error:
                raise StorageAwayError(f"rclone was started again: {error}") from None
            if status["group"] != group:
                raise StorageAwayError("rclone was started again: it has another job by this number")
            if status["finished"]:
                if not status["success"]:
                    raise RcloneRefusedError(status["error"] or "it failed")
                seconds = round(status["duration"], 2)
                _log.info("rclone ended", command=command, bytes=stats.get("bytes"), seconds=seconds)
                return
            done = stats.get("bytes", 0) + stats.get("checks", 0) + stats.get("transfers", 0) + stats.get("deletes", 0)
            if done != moved:
                moved, since = done, time.monotonic()
            elif time.monotonic() - since > COPY_SILENCE_SECONDS:
                await self._call("job/stop", {"jobid": job})
                raise StorageAwayError(f"the storage took nothing for {COPY_SILENCE_SECONDS:.0f} seconds")

    async def _call(self, command: str, options: dict[str, Any]) -> dict[str, Any]:
        return json.loads(await self._ask("POST", f"{self._url}/{command}", json=options) or b"{}")  # type: ignore[no-any-return]

    async def _upload(self, options: dict[str, str], name: str, content: bytes) -> None:
        form = aiohttp.FormData()
        form.add_field("file0", content, filename=name)
        await self._ask("POST", f"{self._url}/operations/uploadfile", params=options, data=form)

    async def _download(self, url: str, limit: int) -> bytes | None:
        try:
            return await self._ask("GET", url, limit=limit)
        except RcloneRefusedError as error:
            if error.is_missing:
                return None
            raise

    async def _ask(self, method: str, url: str, *, limit: int = 64 * 2**20, **options: Any) -> bytes:
        try:
            async with self._session.request(method, url, auth=self._auth, timeout=self._timeout, **options) as answer:
                content = await answer.content.read(-1) if answer.status >= 400 else await _at_most(answer, limit)
                if answer.status == 401:
                    raise PermanentError("rclone refuses the publisher's password; both read the same file")
                if answer.status == 404 and method == "GET":
                    raise RcloneRefusedError("object not found")
                if answer.status >= 400:
                    raise RcloneRefusedError(_reason(content))
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StorageAwayError(f"rclone does not answer at {self._url}: {error or 'no answer'}") from None


async def _at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(2**16):
        size += len(piece)
        if size > limit:
            raise RcloneRefusedError(f"a file that should be small has more than {limit:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _reason(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content[:500].decode(errors="replace") or "no reason"
