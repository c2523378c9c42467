"""Keeps people to their limits and has what they do logged, where there is a usage server.

Whoever acts is logged before it is done and after: what is not written down is not done. What is only read is logged
after. While the usage server is away no run begins, and all else goes on; the log waits on this machine.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.kubernetes import ApiError, Object
from bot.logs import get_logger
from bot.model.account import Account
from bot.usage_events import EventSpool, SpoolError, UsageEvent
from cluster.limits import (
    ALLOWANCE_SECONDS,
    MAX_ALLOWANCES,
    REFUSED_CALLS_SECONDS,
    UNKNOWN_EVENTS_A_MINUTE,
    UPLOAD_SECONDS,
    UPLOAD_TOKEN_SECONDS,
)
from cluster.proxy.authentication import CALLER
from cluster.proxy.refusals import RETRY, Handler, RefusalError
from cluster.proxy.service_token import SERVICE_USER
from cluster.proxy.usage_client import ProxyUsageClient
from cluster.runs_api import RunRequest
from cluster.usage.event_log import PUBLISHED, SSH
from cluster.usage.shapes import ReservationRequest

_PROBES = ("/healthz", "/readyz", "/metrics")
_GONE = "499"  # the client went away
_NOTED = web.RequestKey("noted", dict)  # details of a request's event
_QUIET = web.RequestKey("quiet", bool)  # that it has none

_log = get_logger("dppctl.proxy")


@dataclass(frozen=True)
class _HeldUpload:
    user: str
    bytes: int
    until: float


class ProxyUsage:
    """What the proxy does about use."""

    def __init__(self, client: ProxyUsageClient, spool: EventSpool) -> None:
        """Take what asks the usage server, and where events are written down."""
        self.client, self._spool = client, spool
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()
        self._terminals: dict[str, float] = {}  # by user: seconds that open ones may still take
        self._uploads: dict[str, _HeldUpload] = {}  # by uid: publications that are being uploaded
        self._refused: dict[str, float] = {}  # by user: when a call over the limit was logged last
        self._unknown: deque[float] = deque(maxlen=UNKNOWN_EVENTS_A_MINUTE)  # when events of nobody were logged

    async def admit(self, request: web.Request) -> None:
        """Let a known caller's request through. Raises RefusalError: banned, or too many calls, or too large."""
        caller = request[CALLER]
        if caller.user == SERVICE_USER:
            return
        found = await self.client.allowance(caller, request.remote or "")
        if found.banned:
            raise RefusalError(403, "banned", found.banned, "ask whoever runs this cluster")
        if found.calls_per_minute is not None and (seconds := self._count_call(caller.user, found.calls_per_minute)):
            now = time.monotonic()
            request[_QUIET] = now - self._refused.get(caller.user, -60.0) < REFUSED_CALLS_SECONDS
            if not request[_QUIET]:
                self._refused[caller.user] = now
            what = f"limit callsPerMinute: you may make {found.calls_per_minute:,.0f} calls a minute"
            limit = {"limit": "callsPerMinute", "allowed": found.calls_per_minute}
            raise RefusalError(429, "limit", what, "wait", {"Retry-After": str(int(seconds) + 1)}, limit)
        length, most = request.content_length or 0, found.upload_bytes
        if request.method == "PUT" and most is not None and length > most:
            what = f"limit uploadBytes: the workload has {length:,} bytes, and you may have {most:,.0f}"
            limit = {"limit": "uploadBytes", "used": length, "allowed": most}
            raise RefusalError(413, "limit", what, "leave files out by .dppctlignore", limit=limit)
        if (request.method not in ("GET", "HEAD") and request.path != "/v1/runs") or request.path.endswith("/exec"):
            self._record(request, "asked", acts=True)

    async def reserve(self, request: web.Request, name: str, asked: RunRequest) -> Object:
        """Take a place for a run, and return what its spec has of it. Raises RefusalError."""
        caller = request[CALLER]
        self._record(request, "asked", acts=True)
        grant = await self.client.reserve(
            ReservationRequest(
                run=name,
                user=caller.user,
                groups=tuple(sorted(caller.groups)),
                ip=request.remote or "",
                database=asked.database != "none",
                timeout_seconds=asked.timeout_seconds,
                workload_bytes=asked.workload.bytes,
                publishes=asked.publish == "auto",
            )
        )
        if grant.timeout_seconds < asked.timeout_seconds:
            note(request, timeoutSeconds=grant.timeout_seconds)
        spec: Object = {"reservation": grant.id, "timeoutSeconds": grant.timeout_seconds}
        if grant.publish is not None:
            most = {"dayBytes": int(grant.publish.allowed)}
            spec["publishLimit"] = {"bytes": grant.publish.bytes, "message": grant.publish.message, **most}
        return spec

    async def reserve_upload(self, request: web.Request, uid: str, size: int) -> int | None:
        """Have so many bytes count as published until they are, or the upload's time is over.

        Returns how many the user may publish in 24 hours; None: any number. Raises RefusalError.
        """
        caller = request[CALLER]
        found = await self.client.allowance(caller, request.remote or "", is_fresh=True)
        now = time.monotonic()
        open_now = {other: held for other, held in self._uploads.items() if held.until > now}
        if (publish := found.publish) is not None:
            left = publish.bytes - sum(held.bytes for held in open_now.values() if held.user == caller.user)
            if size > left:
                limit = {"limit": "publishedBytes", "used": publish.allowed - left, "allowed": publish.allowed}
                what = f"{publish.message}, and this publication has {size:,}"
                hint = "wait, publish less, or ask whoever runs this cluster for more"
                raise RefusalError(402, "limit", what, hint, limit={**limit, "resets_at": publish.resets_at})
        self._uploads = {**open_now, uid: _HeldUpload(caller.user, size, now + UPLOAD_TOKEN_SECONDS + UPLOAD_SECONDS)}
        return int(publish.allowed) if publish else None

    def count_upload(self, request: web.Request, uid: str, prefix: str, size: int) -> None:
        """Have what was published counted."""
        self._write(request, PUBLISHED, PUBLISHED, {"uid": uid, "bytes": size, "run": prefix.rstrip("/")})
        if held := self._uploads.get(uid):  # until the usage server has it in its log
            self._uploads[uid] = _HeldUpload(held.user, held.bytes, time.monotonic() + ALLOWANCE_SECONDS)

    async def create(self, spec: Object, create: Callable[[], Awaitable[Object]]) -> Object:
        """Create a run whose place is taken; give the place back when Kubernetes refuses the run for sure.

        After any other failure the run may be there: the usage server finds out.
        """
        try:
            return await create()
        except ApiError as error:
            if error.status < 500 and error.status != 409:
                with suppress(RefusalError):
                    await self.client.release(spec["reservation"])
            raise

    @asynccontextmanager
    async def terminal(self, request: web.Request, end: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
        """Let a terminal be open in this context for as long as its user may; then call `end` with the reason.

        Raises RefusalError when nothing is left of the day's minutes.
        """
        caller = request[CALLER]
        allowed = (await self.client.allowance(caller, request.remote or "")).ssh_seconds
        left = None if allowed is None else allowed - self._terminals.get(caller.user, 0.0)
        why = "limit sshMinutes: your minutes of ssh in 24 hours are used up"
        if left is not None and left < 1:
            hint = "wait, or ask whoever runs this cluster for more"
            raise RefusalError(402, "limit", why, hint, limit={"limit": "sshMinutes"})
        began = time.monotonic()
        taken = left or 0.0
        self._terminals[caller.user] = self._terminals.get(caller.user, 0.0) + taken
        closing = asyncio.create_task(self._close_after(left, why, end)) if left is not None else None
        try:
            yield
        finally:
            if closing:
                closing.cancel()
            seconds = round(time.monotonic() - began)
            self._terminals[caller.user] -= taken - seconds
            # Until the usage server has it in its log, and the answers of before are forgotten.
            asyncio.get_running_loop().call_later(2 * ALLOWANCE_SECONDS, self._forget, caller.user, seconds)
            self._write(request, SSH, "closed", {"seconds": seconds})

    def middleware(self) -> Middleware:
        """Return what records each request after its answer, refusals too."""

        @web.middleware
        async def record_request(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in _PROBES:
                return await handler(request)
            request[_NOTED] = {}
            outcome = "500"
            try:
                response = await handler(request)
                outcome = str(response.status)
                return response
            except asyncio.CancelledError:
                outcome = _GONE
                raise
            finally:
                self._record(request, outcome)

        return record_request

    def _forget(self, user: str, seconds: float) -> None:
        self._terminals[user] -= seconds

    @staticmethod
    async def _close_after(seconds: float, why: str, end: Callable[[str], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        await end(why)

    def _count_call(self, user: str, most: float) -> float:
        """Count a call, and return for how many seconds its user is to wait; 0: it need not."""
        now = time.monotonic()
        calls = self._calls.setdefault(user, deque())
        self._calls.move_to_end(user)
        if len(self._calls) > MAX_ALLOWANCES:
            self._calls.popitem(last=False)
        while calls and now - calls[0] >= 60:
            calls.popleft()
        if len(calls) >= most:
            return 60 - (now - calls[0]) if calls else 60.0
        calls.append(now)
        return 0.0

    def _record(self, request: web.Request, outcome: str, *, acts: bool = False) -> None:
        """Write a request down. Raises RefusalError when that cannot be, and it is one that acts."""
        caller = request.get(CALLER)
        if caller is not None and caller.user == SERVICE_USER and request.method in ("GET", "HEAD"):
            return  # the usage server, which looks all the time
        if request.get(_QUIET) or (caller is None and not self._may_log_unknown(outcome)):
            return  # so many that they would hide the others; the proxy's own log has them
        resource = request.match_info.route.resource
        action = f"{request.method} {resource.canonical if resource else request.path}"
        try:
            self._write(request, action, outcome, dict(request.get(_NOTED) or {}), must=True)
        except SpoolError as error:
            if acts:
                what = f"what is done here has to be logged, and cannot be: {error}"
                raise RefusalError(503, "log-away", what, "whoever runs this cluster has to see to it", RETRY) from None
            _log.error("not logged", action=action, error=error)

    def _may_log_unknown(self, outcome: str) -> bool:
        """Return whether a request of somebody who is not known is logged: so many in a minute, and none that waits."""
        now = time.monotonic()
        if outcome == "429" or (len(self._unknown) == UNKNOWN_EVENTS_A_MINUTE and now - self._unknown[0] < 60):
            return False
        self._unknown.append(now)
        return True

    def _write(
        self, request: web.Request, action: str, outcome: str, details: dict[str, str | int], *, must: bool = False
    ) -> None:
        caller: Account | None = request.get(CALLER)
        event = UsageEvent(
            user=caller.user if caller else "",
            login=caller.login if caller else "",
            action=action,
            subject=request.match_info.get("name") or str(details.pop("run", "")),
            outcome=outcome,
            ip=request.remote or "",
            details={**({"token": caller.token} if caller and caller.token else {}), **details},
        )
        try:
            self._spool.record(event)
        except SpoolError as error:
            if must:
                raise
            _log.error("not logged", action=action, error=error)


def note(request: web.Request, **details: str | int) -> None:
    """Have the event of a request say more; `run` is what it is about."""
    if (noted := request.get(_NOTED)) is not None:
        noted.update(details)
