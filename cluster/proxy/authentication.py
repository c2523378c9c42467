"""Who asks, and whether they may: a bearer token in each request, and its scopes."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from bot.logs import get_logger
from bot.model.account import Account, Scope
from cluster.limits import (
    MAX_REFUSED_ADDRESSES,
    TOKEN_CHECK_SECONDS,
    UNKNOWN_TOKENS_A_SECOND,
    WRONG_TOKENS,
    WRONG_TOKENS_SECONDS,
)
from cluster.proxy.callers import Callers
from cluster.proxy.refusals import Handler, RefusalError

CALLER = web.RequestKey("caller", Account)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dppctl"'}  # https://www.rfc-editor.org/rfc/rfc6750#section-3

_log = get_logger("dppctl.proxy")


class WrongTokens:
    """Counts wrong tokens by address, so that an address which tries many is slowed down."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=UNKNOWN_TOKENS_A_SECOND)

    def may_ask(self, address: str) -> bool:
        """Return whether somebody may be asked about a token that is not known, which came from this address.

        Of addresses with too many wrong ones it may be a few times a second, together: those may be the address of
        many people, some of them with right tokens.
        """
        now = self._clock()
        if not _are_too_many(self._times.get(address), now):
            return True
        if len(self._asked) == UNKNOWN_TOKENS_A_SECOND and now - self._asked[0] < 1:
            return False
        self._asked.append(now)
        return True

    def add(self, address: str) -> float:
        """Count one, and return for how many seconds the address is to wait; 0: it need not."""
        now = self._clock()
        times = self._times.setdefault(address, deque(maxlen=WRONG_TOKENS))
        self._times.move_to_end(address)
        if len(self._times) > MAX_REFUSED_ADDRESSES:
            self._times.popitem(last=False)
        if _are_too_many(times, now):
            return WRONG_TOKENS_SECONDS - (now - times[0])
        times.append(now)
        return 0.0


class Authentication:
    """Lets those in who have a token with the scope that a route needs."""

    def __init__(
        self,
        callers: Callers,
        wrong: WrongTokens,
        refused: Callable[[], None] = lambda: None,
        admit: Callable[[web.Request], Awaitable[None]] | None = None,
    ) -> None:
        """`refused` is called for each wrong token, `admit` for each request of somebody who may make it."""
        self._callers, self._wrong, self._refused, self._admit = callers, wrong, refused, admit

    def guard(self, scope: Scope | None, handler: Handler) -> Handler:
        """Return the handler for those whose token has the scope (None: any); `request[CALLER]` is who it is."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            request[CALLER] = await self.identify(request)
            if scope:
                check_scope(request[CALLER], scope)
            if self._admit:
                await self._admit(request)
            return await handler(request)

        return guarded

    @asynccontextmanager
    async def while_valid(
        self, request: web.Request, scope: Scope, end: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """Look now and then, in this context, whether the token of what goes on still holds; if not, call `end`.

        While that cannot be said, it goes on.
        """
        watching = asyncio.create_task(self._watch(request, scope, end))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def identify(self, request: web.Request) -> Account:
        """Return who asks. Raises RefusalError: 401, or 429 after many wrong tokens.

        A right token is always taken: many people may come from one address, that of a proxy before this one.
        """
        token = _token(request)
        if not token:
            hint = "log in: dppctl login CLUSTER; or set DPPCTL_TOKEN"
            raise RefusalError(401, "no-token", "a bearer token is needed", hint, _CHALLENGE)
        address = request.remote or ""
        known = self._callers.recall(token)
        if known is not None and known.holds:
            found = known.account
        elif (known is not None and known.account) or self._wrong.may_ask(address):
            found = await self._callers.ask(token)
        else:
            found = None
        if found is not None:
            return found
        self._refused()
        _log.warning("wrong token", address=address, path=request.path)
        if seconds := self._wrong.add(address):
            waits = {"Retry-After": str(int(seconds) + 1)}
            raise RefusalError(429, "too-many-wrong-tokens", f"too many wrong tokens from {address}", "wait", waits)
        raise RefusalError(
            401,
            "wrong-token",
            "the token is not known here, or not any more",
            "log in again: dppctl login CLUSTER; whoever runs the cluster makes a token: dppctl token create",
            {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'},
        )

    async def _watch(self, request: web.Request, scope: Scope, end: Callable[[], Awaitable[None]]) -> None:
        token = _token(request)
        while True:
            await asyncio.sleep(TOKEN_CHECK_SECONDS)
            known = self._callers.recall(token)
            with suppress(RefusalError):  # the auth server is away
                found = known.account if known is not None and known.holds else await self._callers.ask(token)
                if found is None or scope not in found.scopes:
                    _log.warning(
                        "ended: its token does not hold any more", path=request.path, user=request[CALLER].user
                    )
                    await end()
                    return


def _token(request: web.Request) -> str:
    """Return the bearer token that a request shows, or ""."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _are_too_many(times: deque[float] | None, now: float) -> bool:
    return times is not None and len(times) == WRONG_TOKENS and now - times[0] < WRONG_TOKENS_SECONDS


def check_scope(caller: Account, scope: Scope) -> None:
    """Raise RefusalError unless the token has the scope."""
    if scope not in caller.scopes:
        raise RefusalError(
            403,
            "scope",
            f"the token {caller.token!r} has no scope {scope}; it has {', '.join(caller.scope_names)}",
            f"log in with it: dppctl login --scope {scope}; or ask whoever runs the cluster for a token that has it",
            {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="insufficient_scope", scope="{scope}"'},
        )


def may_see(caller: Account, user: str) -> bool:
    """Return whether a run of this user is the caller's own, or the caller sees all."""
    return caller.user == user or caller.is_admin
