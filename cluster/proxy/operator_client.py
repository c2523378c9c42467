"""Calls to the operator, which keeps workloads and events and knows the databases' passwords."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import ValidationError

from cluster.limits import OPERATOR_ANSWER_SECONDS, OPERATOR_SILENCE_SECONDS
from cluster.proxy.refusals import OperatorAwayError, RefusalError
from cluster.runs_api import ApiProblem


class OperatorClient:
    """One operator. All calls raise RefusalError, with what the proxy is to answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token_file: Path) -> None:
        """`token_file`: read for each call, as it may be renewed."""
        self._session, self._url, self._token_file = session, url.rstrip("/"), token_file

    def ticket_key(self) -> bytes:
        """Return what tickets for browsers are signed with: made from the operator's token, so every proxy has it."""
        return hmac.new(self._token().encode(), b"tickets for browsers", hashlib.sha256).digest()

    async def has_workload(self, sha256: str) -> bool:
        """Return whether a workload was uploaded."""
        async with self._call("HEAD", f"/workloads/{sha256}") as answer:
            return answer.status == 200

    async def put_workload(self, sha256: str, length: int, content: AsyncIterator[bytes]) -> int:
        """Upload a workload, and return 201; 200 when it was there already."""
        timeout = aiohttp.ClientTimeout(sock_connect=OPERATOR_ANSWER_SECONDS)  # the content has limits of its own
        headers = {"Content-Length": str(length), "Content-Type": "application/gzip"}
        async with self._call("PUT", f"/workloads/{sha256}", timeout, headers, data=content) as answer:
            return answer.status

    async def database(self, uid: str) -> dict[str, Any] | None:
        """Return how a run's database is reached; None: it has none, or not any more."""
        async with self._call("GET", f"/runs/{uid}/database") as answer:
            if answer.status == 404:
                return None
            found = await answer.json()
        if not isinstance(found, dict):
            raise OperatorAwayError("its answer is no JSON object")
        return found

    @asynccontextmanager
    async def events(self, uid: str, after: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """Have a run's events after a number, as they come, in this context; 404: the run is not known."""
        timeout = aiohttp.ClientTimeout(sock_connect=OPERATOR_ANSWER_SECONDS, sock_read=OPERATOR_SILENCE_SECONDS)
        async with self._call("GET", f"/runs/{uid}/events", timeout, params={"after": str(after)}) as answer:
            yield answer

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and have an answer below 400, or 404, in this context."""
        timeout = timeout or aiohttp.ClientTimeout(total=OPERATOR_ANSWER_SECONDS)
        all_headers = {"Authorization": f"Bearer {self._token()}", **(headers or {})}
        url = self._url + path
        try:
            async with self._session.request(
                method, url, headers=all_headers, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                if answer.status >= 300 and answer.status != 404:
                    raise await _refusal(answer)
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise OperatorAwayError(str(error) or "no answer in time") from None

    def _token(self) -> str:
        try:
            return self._token_file.read_text().strip()
        except OSError as error:
            raise OperatorAwayError(f"its token cannot be read: {self._token_file}: {error.strerror}") from None


async def _refusal(answer: aiohttp.ClientResponse) -> RefusalError:
    """Return what to answer when the operator refuses: what it says, where that is about the request."""
    try:
        problem = ApiProblem.model_validate_json(await answer.content.read(2_000))
    except ValidationError:
        problem = ApiProblem(error=f"it answers {answer.status} {answer.reason}", code="")
    if answer.status in (400, 408, 413, 507):
        return RefusalError(answer.status, problem.code or "refused", problem.error, problem.hint)
    if answer.status in (401, 403):
        return OperatorAwayError("it does not take the proxy's token (DPPCTL_OPERATOR_TOKEN_FILE)")
    return OperatorAwayError(problem.error)
