"""What passes through the proxy piece by piece: workloads to the operator, events from it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import aiohttp
from aiohttp import web

from bot.logs import get_logger
from cluster.limits import (
    MAX_WORKLOAD_BYTES,
    PROXY_RETRY_SECONDS,
    UPLOAD_SECONDS,
    UPLOAD_SILENCE_SECONDS,
)
from cluster.proxy.authentication import Authentication
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.refusals import RefusalError
from cluster.proxy.runs import NAME, find_run

_SHA256 = "{sha256:[0-9a-f]{64}}"
_UNBUFFERED = {
    "Content-Type": "application/jsonl",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
}

_log = get_logger("dppctl.proxy")


class StreamRoutes:
    """`/v1/workloads` and the events of runs."""

    def __init__(self, api: ClusterApi, operator: OperatorClient, auth: Authentication) -> None:
        """Take what knows the runs, what has workloads and events, and what knows tokens."""
        self._api, self._operator, self._auth = api, operator, auth
        self._open: set[asyncio.Task[None] | None] = set()

    @property
    def count(self) -> int:
        """Return how many streams of events are open."""
        return len(self._open)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        auth = self._auth
        return [
            web.head(f"/v1/workloads/{_SHA256}", auth.guard("run", self.has_workload)),
            web.put(f"/v1/workloads/{_SHA256}", auth.guard("run", self.upload)),
            web.get(f"/v1/runs/{NAME}/events", auth.guard("read", self.events)),
        ]

    def end(self) -> None:
        """End all streams of events: who reads one goes on at another proxy."""
        for task in self._open:
            if task:
                task.cancel()

    async def has_workload(self, request: web.Request) -> web.Response:
        """Answer 200 when the workload was uploaded, else 404."""
        is_there = await self._operator.has_workload(request.match_info["sha256"])
        return web.Response(status=200 if is_there else 404)

    async def upload(self, request: web.Request) -> web.Response:
        """Pass a workload on to the operator, which checks its hash: 201, or 200 when it was there."""
        length = request.content_length
        if length is None:
            raise RefusalError(411, "length-required", "a workload needs a Content-Length")
        if length > MAX_WORKLOAD_BYTES:
            what = f"the workload has {length:,} bytes; at most {MAX_WORKLOAD_BYTES:,} are taken"
            raise RefusalError(413, "too-large", what, "leave files out by .dppctlignore")
        upload = Upload(request.content)
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                status = await self._operator.put_workload(request.match_info["sha256"], length, upload.pieces())
        except TimeoutError:
            raise _not_whole("came too slowly") from None
        except RefusalError:
            if not upload.problem:
                raise
            raise _not_whole(upload.problem) from None
        return web.json_response({"sha256": request.match_info["sha256"]}, status=status)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Pass the operator's lines on as they come; the client's end is that of the operator's stream."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            raise RefusalError(400, "invalid", "after: must be the number of an event")
        uid = (await find_run(self._api, request))["metadata"]["uid"]

        async def cut() -> None:  # the client comes back with the same token, and is told
            cut_off(request)

        task = asyncio.current_task()
        self._open.add(task)
        try:
            async with self._operator.events(uid, int(after)) as upstream:
                if upstream.status == 404:
                    retry = {"Retry-After": str(PROXY_RETRY_SECONDS)}
                    what = f"the operator does not know the run {request.match_info['name']} yet, or not any more"
                    raise RefusalError(404, "no-events", what, "try again in a moment", retry)
                async with self._auth.while_valid(request, "read", cut):
                    return await pass_on(request, upstream)
        finally:
            self._open.discard(task)


class Upload:
    """What a client sends, and what is wrong with it."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        """Take the body of a request."""
        self._content = content
        self.problem = ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what comes. Raises what ends it too early, which is a `problem`."""
        while True:
            try:
                async with asyncio.timeout(UPLOAD_SILENCE_SECONDS):
                    piece = await self._content.readany()
            except TimeoutError:
                self.problem = "came too slowly"
                raise
            except (aiohttp.ClientError, ConnectionError, ValueError):
                self.problem = "did not come whole"
                raise
            if not piece:
                return
            yield piece


def _not_whole(problem: str) -> RefusalError:
    return RefusalError(408, "slow", f"the workload {problem}", "upload it again")


def cut_off(request: web.Request) -> None:
    """Close the connection in the middle of an answer, so that no end of it is seen."""
    if request.transport:
        request.transport.close()


async def pass_on(
    request: web.Request, upstream: aiohttp.ClientResponse, headers: Mapping[str, str] = _UNBUFFERED
) -> web.StreamResponse:
    """Answer with what another server sends, as it comes; when that breaks off, so does the answer."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    with suppress(ConnectionError):  # the client has gone
        try:
            async for piece in upstream.content.iter_any():
                await response.write(piece)
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.warning("stream broke off", path=request.path, error=error or "nothing comes any more")
            cut_off(request)
        else:
            await response.write_eof()
    return response
