"""Calls to the usage server: places for runs, what somebody may do, reports."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import ValidationError

from bot.logs import get_logger
from bot.model.account import Account
from cluster.limits import (
    ALLOWANCE_AWAY_SECONDS,
    ALLOWANCE_SECONDS,
    MAX_ALLOWANCES,
    USAGE_ALLOWANCE_SECONDS,
    USAGE_SECONDS,
)
from cluster.proxy.refusals import RETRY, RefusalError
from cluster.usage.shapes import AllowanceAnswer, LimitProblem, ReservationAnswer, ReservationRequest

_log = get_logger("dppctl.proxy")


class UsageOutageError(RefusalError):
    """The usage server does not answer, or not now."""

    def __init__(self, reason: str) -> None:
        """`reason`: what it, or the network, says."""
        what = f"the usage server does not answer, so no run can begin now: {reason}"
        super().__init__(503, "usage-away", what, "try again in a moment; runs that have begun go on", RETRY)


@dataclass(frozen=True)
class _Held:
    until: float
    allowance: AllowanceAnswer


class ProxyUsageClient:
    """One usage server."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token_file: Path) -> None:
        """`url`: without a path; `token_file`: read for each call, as it may be renewed."""
        self._session, self._url, self._token_file = session, f"{url}/usage", token_file
        self._held: OrderedDict[str, _Held] = OrderedDict()

    async def reserve(self, request: ReservationRequest) -> ReservationAnswer:
        """Take a place for a run. Raises RefusalError: with the limit, or 503."""
        async with self._call("POST", "/reservations", json=request.model_dump(by_alias=True)) as (status, text):
            if status == 201:
                return ReservationAnswer.model_validate_json(text)
            raise _refusal(status, text)

    async def release(self, reservation: str) -> None:
        """Give a place back. Raises RefusalError."""
        async with self._call("DELETE", f"/reservations/{reservation}"):
            pass

    async def allowance(self, account: Account, address: str, *, is_fresh: bool = False) -> AllowanceAnswer:
        """Return what somebody may do. While that cannot be asked, what was so last holds, or nothing is limited.

        is_fresh: as it is now, not a moment ago.
        """
        key, now = f"{account.user} {address}", time.monotonic()
        held = self._held.get(key)
        if held is not None and held.until > now and not is_fresh:
            return held.allowance
        query = [("user", account.user), ("ip", address), *(("group", name) for name in sorted(account.groups))]
        seconds, found = ALLOWANCE_SECONDS, held.allowance if held else AllowanceAnswer()
        try:
            async with self._call("GET", "/limits", USAGE_ALLOWANCE_SECONDS, params=query) as (status, text):
                if status != 200:
                    raise _refusal(status, text)
                found = AllowanceAnswer.model_validate_json(text)
        except (RefusalError, ValidationError) as error:
            _log.warning("limits not known", user=account.user, error=error)
            seconds = ALLOWANCE_AWAY_SECONDS
        self._held[key] = _Held(now + seconds, found)
        self._held.move_to_end(key)
        if len(self._held) > MAX_ALLOWANCES:
            self._held.popitem(last=False)
        return found

    async def report(self, query: Sequence[tuple[str, str]]) -> tuple[str, bytes]:
        """Return a report's content type and text. Raises RefusalError."""
        async with self._call("GET", "/report", params=query) as (status, text):
            if status != 200:
                raise _refusal(status, text)
            return ("text/csv" if ("format", "csv") in query else "application/json"), text

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, seconds: float = USAGE_SECONDS, **options: Any
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Ask, and have status and text of the answer in this context. Raises UsageOutageError."""
        try:
            headers: Mapping[str, str] = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            timeout = aiohttp.ClientTimeout(total=seconds)
            async with self._session.request(
                method, self._url + path, headers=headers, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                found = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UsageOutageError(str(error) or "no answer in time") from None
        yield found


def _refusal(status: int, text: bytes) -> RefusalError:
    """Return what to answer when the usage server refuses: what it says, where that is about the person."""
    try:
        problem = LimitProblem.model_validate_json(text)
    except ValidationError:
        return UsageOutageError(f"it answers {status}")
    if problem.code not in ("limit", "banned") and status != 400:
        what = "it does not take the proxy's token (DPPCTL_USAGE_TOKEN_FILE)" if status == 401 else problem.error
        return UsageOutageError(what)
    limit = problem.model_dump(include={"limit", "used", "allowed", "resets_at"})
    return RefusalError(status, problem.code, problem.error, problem.hint, limit=limit)
