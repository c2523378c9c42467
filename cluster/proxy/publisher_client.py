"""Calls to the publisher, which has the storage's credentials and the files that are relayed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel, ValidationError

from cluster.limits import OPERATOR_SILENCE_SECONDS, PUBLISHER_ANSWER_SECONDS
from cluster.proxy.refusals import RETRY, RefusalError
from cluster.proxy.upload_tokens import UploadToken
from cluster.runs_api import ApiProblem, PublishedItem


class PublisherOutageError(RefusalError):
    """The publisher does not answer, or not now."""

    def __init__(self, reason: str) -> None:
        """`reason`: what it, or the network, says."""
        what = f"the publisher does not answer: {reason}"
        super().__init__(503, "publisher-away", what, "try again in a moment", RETRY)


class UploadState(BaseModel):
    """How far a publication is."""

    state: str
    bytes: int = 0
    items: tuple[PublishedItem, ...] = ()
    error: str | None = None


class PublisherClient:
    """One publisher. All calls raise RefusalError, with what the proxy is to answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token_file: Path, storage_url: str) -> None:
        """`token_file`: read for each call, as it may be renewed; `storage_url`: "": it has no storage."""
        self._session, self._url, self._token_file = session, url.rstrip("/"), token_file
        self.storage_url = storage_url.rstrip("/")

    async def upload(self, token: UploadToken, content: AsyncIterator[bytes]) -> UploadState:
        """Hand over a tar, and return how far it is: it came whole, and nothing of it is seen yet."""
        query = {"prefix": token.prefix, "limitBytes": str(token.limit_bytes)}
        if token.day_bytes is not None:
            query |= {"user": token.user, "dayBytes": str(token.day_bytes)}
        timeout = aiohttp.ClientTimeout(sock_connect=PUBLISHER_ANSWER_SECONDS)  # the content has limits of its own
        async with self._call("PUT", f"/publications/{token.uid}", timeout, params=query, data=content) as answer:
            return await _state(answer)

    async def state(self, uid: str) -> UploadState:
        """Return how far a publication is."""
        async with self._call("GET", f"/publications/{uid}") as answer:
            if answer.status == 404:
                raise PublisherOutageError("it has forgotten what was uploaded; upload it again")
            return await _state(answer)

    @asynccontextmanager
    async def files(self, uid: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Have a tar of what is kept of a run, as it comes, in this context; 404: nothing is."""
        timeout = aiohttp.ClientTimeout(sock_connect=PUBLISHER_ANSWER_SECONDS, sock_read=OPERATOR_SILENCE_SECONDS)
        async with self._call("GET", f"/publications/{uid}/files", timeout) as answer:
            yield answer

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, timeout: aiohttp.ClientTimeout | None = None, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and have an answer below 400, or 404, in this context."""
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            async with self._session.request(
                method,
                self._url + path,
                headers=headers,
                timeout=timeout or aiohttp.ClientTimeout(total=PUBLISHER_ANSWER_SECONDS),
                allow_redirects=False,
                **options,
            ) as answer:
                if answer.status >= 300 and answer.status != 404:
                    raise await _refusal(answer)
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PublisherOutageError(str(error) or "no answer in time") from None


async def _state(answer: aiohttp.ClientResponse) -> UploadState:
    try:
        return UploadState.model_validate_json(await answer.read())
    except ValidationError:
        raise PublisherOutageError("it is of another version") from None


async def _refusal(answer: aiohttp.ClientResponse) -> RefusalError:
    """Return what to answer when the publisher refuses: what it says, where that is about what was uploaded."""
    try:
        problem = ApiProblem.model_validate_json(await answer.content.read(2_000))
    except ValidationError:
        problem = ApiProblem(error=f"it answers {answer.status} {answer.reason}", code="")
    if answer.status in (400, 408, 409, 413, 507):
        return RefusalError(answer.status, problem.code or "refused", problem.error, problem.hint)
    if answer.status in (401, 403):
        return PublisherOutageError("it does not take the proxy's token (DPPCTL_PUBLISHER_TOKEN_FILE)")
    if problem.code == "not-now":  # such as a tar that ends in the middle
        return RefusalError(503, "not-now", problem.error, problem.hint, RETRY)
    return PublisherOutageError(problem.error)
