"""The operator's HTTP, for the proxy and for probes: uploads, events of runs, how the operator is.

    GET      /healthz                 200, or 503 and what is wrong
    GET      /metrics                 for Prometheus
    HEAD|PUT /workloads/{sha256}      200 it is here, 201 it was kept; 400 another hash, 413 too large, 507 disk full
    GET      /runs/{uid}/database     how the run's database is reached, with its password; 404 when it has none
    GET      /runs/{uid}/events       JSON lines: streams.py; ?after=N: the worker's events after that number

All but the first two need `Authorization: Bearer TOKEN`. Errors are the proxy's: {"error", "code", "hint"}.
"""

import asyncio
import errno
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import StreamReader, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from bot.logs import get_logger
from cluster.limits import MAX_WORKLOAD_BYTES, UPLOAD_SILENCE_SECONDS
from cluster.operator.operator import Operator
from cluster.operator.streams import EventStreams
from cluster.operator.workload_store import WorkloadHashError, WorkloadStore, WorkloadTooLargeError
from cluster.runs_api import ApiProblem

_log = get_logger("dppctl.operator")
_PIECE = 2**20
_OPEN = ("/healthz", "/metrics")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OperatorHttp:
    """Makes the aiohttp application, `application`, of an operator."""

    def __init__(self, operator: Operator, workloads: WorkloadStore, token: str) -> None:
        """Take the token that the proxy knows."""
        self._operator, self._workloads = operator, workloads
        self._bearer = f"Bearer {token}".encode()
        self._streams = EventStreams(operator)
        self._registry = CollectorRegistry()
        self._registry.register(operator.metrics())

    def application(self) -> web.Application:
        """Return what answers."""
        application = web.Application(middlewares=[self._answer])
        application.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/metrics", self._metrics),
                web.head("/workloads/{digest:[0-9a-f]{64}}", self._has_workload),
                web.put("/workloads/{digest:[0-9a-f]{64}}", self._put_workload),
                web.get("/runs/{uid:[0-9a-f-]{1,64}}/events", self._events),
                web.get("/runs/{uid:[0-9a-f-]{1,64}}/database", self._database),
            ]
        )
        return application

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if request.path not in _OPEN and not hmac.compare_digest(given, self._bearer):
            answer = problem(401, "unauthorized", "the bearer token is missing or wrong")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        try:
            return await handler(request)
        except web.HTTPException as error:
            return problem(error.status, "not-found", f"no {request.method} {request.path} here")
        except OSError as error:
            if error.errno not in _FULL:
                raise
            hint = "make the operator's volume larger, or wait until old runs are removed"
            return problem(507, "disk-full", f"the operator's disk is full: {error.strerror}", hint)

    async def _health(self, _: web.Request) -> web.StreamResponse:
        said = self._operator.problem()
        return problem(503, "unhealthy", said) if said else web.json_response({"status": "ok"})

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _has_workload(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=200 if self._workloads.has(request.match_info["digest"]) else 404)

    async def _put_workload(self, request: web.Request) -> web.StreamResponse:
        digest = request.match_info["digest"]
        if self._workloads.has(digest):
            return web.json_response({"sha256": digest})
        try:
            if (request.content_length or 0) > MAX_WORKLOAD_BYTES:
                raise WorkloadTooLargeError(f"a workload has at most {MAX_WORKLOAD_BYTES:,} bytes")
            await self._workloads.receive(digest, _pieces(request.content))
        except WorkloadTooLargeError as error:
            return problem(413, "workload-too-large", str(error), "leave files out with .dppctlignore")
        except WorkloadHashError as error:
            return problem(400, "wrong-hash", str(error), "upload it again")
        except TimeoutError:
            return problem(408, "upload-silent", f"nothing came for {UPLOAD_SILENCE_SECONDS:.0f} seconds", "try again")
        _log.info("workload kept", sha256=digest)
        return web.json_response({"sha256": digest}, status=201)

    async def _database(self, request: web.Request) -> web.StreamResponse:
        if found := self._operator.database(request.match_info["uid"]):
            return web.json_response(found, headers={"Cache-Control": "no-store"})
        return problem(404, "no-database", "the run has no database, or its time is over")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            return problem(400, "invalid", "after must be the number of an event")
        answer = await self._streams.respond(request, request.match_info["uid"], int(after))
        return answer or problem(404, "no-such-run", "there is no such run, or it was removed", "list the runs")


def problem(status: int, code: str, error: str, hint: str = "") -> web.Response:
    """Return an answer that says what is wrong."""
    return web.json_response(ApiProblem(error=error, code=code, hint=hint).model_dump(), status=status)


async def _pieces(content: StreamReader) -> AsyncIterator[bytes]:
    """Yield what is uploaded. Raises TimeoutError when nothing comes for long."""
    while True:
        async with asyncio.timeout(UPLOAD_SILENCE_SECONDS):
            piece = await content.read(_PIECE)
        if not piece:
            return
        yield piece
