"""Calls to a worker (worker/server.py), which waits in a pod or runs something."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bot.errors import PermanentError, TransientError
from cluster.limits import MAX_RUN_EVENT_BYTES, MAX_WORKER_ANSWER_BYTES, WORKER_SECONDS
from cluster.worker_events import Event, WorkerEventError, read_event

PORT = 8080


class WorkerAwayError(TransientError):
    """A worker does not answer, or not now."""


class WorkerRefusedError(PermanentError):
    """A worker does not take what it was given, and says why."""


def token_of(key: bytes, uid: str) -> str:
    """Return the token of a pod's worker, which the pod makes itself, from the pools' key and its own uid."""
    return hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()


class WorkerClient:
    """One worker. All calls raise WorkerAwayError and WorkerRefusedError."""

    def __init__(self, session: aiohttp.ClientSession, address: str, token: str) -> None:
        """`address`: HOST:PORT."""
        self._session = session
        self._base = f"http://{address}"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def health(self) -> tuple[str, str | None]:
        """Return its state (`waiting`, `running`, `ended`), and which run it has or had."""
        async with self._call("GET", "/health") as answer:
            found = json.loads(await _read(answer))
            if not isinstance(found, dict) or not isinstance(state := found.get("state"), str):
                raise ValueError("it says nothing of its state")
            return state, found.get("run")

    async def put_workload(self, file: Path) -> None:
        """Hand over a tar.gz of the workload's files."""
        with file.open("rb") as content:
            length = {"Content-Length": str(file.stat().st_size)}
            async with self._call("PUT", "/workload", data=content, headers=length, seconds=None):
                pass

    async def take_image_files(self) -> None:
        """Have the files of its own image be the workload."""
        async with self._call("POST", "/workload", data=b"", seconds=None):
            pass

    async def start(self, run: str, request: dict[str, Any]) -> None:
        """Start a run; the same one again changes nothing."""
        async with self._call("POST", "/run", json={**request, "run": run}):
            pass

    async def stop(self) -> None:
        """End the run."""
        async with self._call("POST", "/stop"):
            pass

    async def events(self, after: int) -> AsyncIterator[Event]:
        """Yield the run's events after this number, as they come; it ends with the connection or the run.

        Raises WorkerEventError, too, for what no worker tells.
        """
        async with self._call("GET", "/events", params={"after": str(after)}, seconds=None) as answer:
            async for line in _lines(answer.content):
                yield read_event(line)

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        seconds: float | None = WORKER_SECONDS,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and have the answer in this context; `seconds`: for all of it, None: as long as it takes."""
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=WORKER_SECONDS)
        merged = {**self._headers, **(headers or {})}
        try:
            async with self._session.request(
                method, self._base + path, headers=merged, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                if answer.status >= 400:
                    said = (await answer.content.read(MAX_WORKER_ANSWER_BYTES)).decode(errors="replace")[:500]
                    kind = WorkerAwayError if answer.status >= 500 else WorkerRefusedError
                    raise kind(f"the worker refuses {method} {path}: {answer.status}: {_reason(said)}")
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise WorkerAwayError(f"the worker does not answer {method} {path}: {error or 'no answer'}") from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    found = b""
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > MAX_WORKER_ANSWER_BYTES:
            raise ValueError(f"it answers more than {MAX_WORKER_ANSWER_BYTES:,} bytes")
    return found


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines; half a line, at which a connection ended, comes again. Raises WorkerEventError."""
    begun, size = list[bytes](), 0
    async for piece in content.iter_any():
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield b"".join([*begun, end])
            begun, size = [], 0
        begun.append(rest)
        size += len(rest)
        if size > MAX_RUN_EVENT_BYTES:
            raise WorkerEventError(f"the worker tells an event of more than {MAX_RUN_EVENT_BYTES:,} bytes")


def _reason(said: str) -> str:
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return said
