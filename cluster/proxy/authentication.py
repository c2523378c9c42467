"""Who asks, and whether they may: a bearer token in each request, and its scopes."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from aiohttp import web

from bot.logs import get_logger
from cluster.limits import MAX_REFUSED_ADDRESSES, WRONG_TOKENS, WRONG_TOKENS_SECONDS
from cluster.proxy.refusals import Handler, RefusalError
from cluster.proxy.tokens import KnownTokens, TokenRecord
from cluster.runs_api import Scope

CALLER = web.RequestKey("caller", TokenRecord)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dppctl"'}  # https://www.rfc-editor.org/rfc/rfc6750#section-3

_log = get_logger("dppctl.proxy")


class WrongTokens:
    """Counts wrong tokens by address, so that an address which tries many is slowed down."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, address: str) -> float:
        """Count one, and return for how many seconds the address is to wait; 0: it need not."""
        now = self._clock()
        times = self._times.setdefault(address, deque(maxlen=WRONG_TOKENS))
        self._times.move_to_end(address)
        if len(self._times) > MAX_REFUSED_ADDRESSES:
            self._times.popitem(last=False)
        if len(times) == WRONG_TOKENS and now - times[0] < WRONG_TOKENS_SECONDS:
            return WRONG_TOKENS_SECONDS - (now - times[0])
        times.append(now)
        return 0.0


class Authentication:
    """Lets those in who have a token with the scope that a route needs."""

    def __init__(self, tokens: KnownTokens, wrong: WrongTokens, refused: Callable[[], None] = lambda: None) -> None:
        """`refused` is called for each wrong token."""
        self._tokens, self._wrong, self._refused = tokens, wrong, refused

    def guard(self, scope: Scope | None, handler: Handler) -> Handler:
        """Return the handler for those whose token has the scope (None: any); `request[CALLER]` is who it is."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            request[CALLER] = self.identify(request)
            if scope:
                check_scope(request[CALLER], scope)
            return await handler(request)

        return guarded

    def identify(self, request: web.Request) -> TokenRecord:
        """Return who asks. Raises RefusalError: 401, or 429 after many wrong tokens.

        A right token is always taken: many people may come from one address, that of a proxy before this one.
        """
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token or kind.lower() != "bearer":
            hint = "log in: dppctl login CLUSTER; or set DPPCTL_TOKEN"
            raise RefusalError(401, "no-token", "a bearer token is needed", hint, _CHALLENGE)
        if (found := self._tokens.find(token.strip())) is not None:
            return found
        self._refused()
        address = request.remote or ""
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


def check_scope(caller: TokenRecord, scope: Scope) -> None:
    """Raise RefusalError unless the token has the scope."""
    if scope not in caller.scopes:
        raise RefusalError(
            403,
            "scope",
            f"the token {caller.name!r} has no scope {scope}; it has {', '.join(caller.scopes)}",
            f"ask for one: dppctl token create NAME --user {caller.user} --scope {scope}",
            {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="insufficient_scope", scope="{scope}"'},
        )


def may_see(caller: TokenRecord, user: str) -> bool:
    """Return whether a run of this user is the caller's own, or the caller sees all."""
    return caller.user == user or "admin" in caller.scopes
