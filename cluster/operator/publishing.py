"""What a run wrote, from its worker into the storage: asked of the publisher, which alone may write there.

The publisher knows a publication by the run's uid: an operator that is ended in between asks again, and goes on. It
has a time limit of its own, beside that of the run's pipelines.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel, ValidationError

from bot.errors import PermanentError, TransientError
from bot.logs import get_logger
from cluster.limits import (
    MAX_PUBLISHED_BYTES,
    PUBLISH_LOOK_SECONDS,
    PUBLISH_SECONDS,
    PUBLISHER_ANSWER_SECONDS,
    PUBLISHER_AWAY_SECONDS,
)
from cluster.operator.model import RunSpec
from cluster.operator.state import PERSISTENT, PoolPod, RunState
from cluster.runs_api import ApiProblem
from cluster.storage.written import WrittenItems

_log = get_logger("dppctl.operator")


class PublisherAwayError(TransientError):
    """The publisher does not answer, or not now."""


class PublicationFailedError(PermanentError):
    """What a run wrote is not published; the message says why, for its user."""


@dataclass(frozen=True)
class PublisherAddress:
    """Where the publisher is, and what it knows the operator by."""

    url: str
    token_file: Path  # read for each call, as it may be renewed
    has_storage: bool = True  # else it only keeps what runs wrote for who relays it


@dataclass(frozen=True)
class PublishingWorker:
    """Where the publisher finds what a run wrote."""

    pod: PoolPod
    address: str  # HOST:PORT
    token: str


class _PublicationState(BaseModel):
    state: str
    bytes: int = 0
    items: list[dict[str, Any]] = []
    error: str | None = None


class RunPublisher:
    """Has the publisher publish what runs wrote."""

    def __init__(self, session: aiohttp.ClientSession, address: PublisherAddress) -> None:
        """Take the session of the operator's calls."""
        self._session, self._address = session, address

    def publishes(self, spec: RunSpec) -> bool:
        """Return whether what such a run writes is published, or kept for who relays it."""
        return spec.publish == "relay" or (spec.publish == "auto" and self._address.has_storage)

    async def publish(self, run: RunState, worker: PublishingWorker, written: WrittenItems) -> dict[str, Any]:
        """Have it published, and return `items` (kind, source, url) and `bytes`. Raises PublicationFailedError."""
        spec = run.spec
        assert spec is not None  # noqa: S101 (a run without a spec has no worker)
        limit = spec.publish_limit
        if limit is not None and not limit.bytes:
            raise PublicationFailedError(f"nothing is published: {limit.message}")
        asked = {
            "run": run.name,
            "uid": run.uid,
            "prefix": "" if spec.publish == "relay" else prefix_of(run, worker.pod),
            "worker": worker.address,
            "workerToken": worker.token,
            "limitBytes": min(limit.bytes if limit else MAX_PUBLISHED_BYTES, MAX_PUBLISHED_BYTES),
            "items": [{"kind": item.kind, "source": item.source, "path": item.path} for item in written.items],
        }
        if limit is not None and limit.day_bytes is not None and spec.user:
            asked["dayLimit"] = {"user": spec.user, "bytes": limit.day_bytes}
        state = await self._to_its_end(run, asked)
        if state.state == "failed":
            error = state.error or "the publisher does not say why"
            if limit and f"than the {limit.bytes:,} bytes" in error:
                error = f"{limit.message}: {error}"
            raise PublicationFailedError(f"nothing is published: {error}")
        return {"items": state.items, "bytes": state.bytes}

    async def _to_its_end(self, run: RunState, asked: dict[str, Any]) -> _PublicationState:
        """Ask until the publication has ended; while the publisher is away, for a while."""
        began = heard = time.monotonic()
        is_known = False
        while True:
            try:
                state = await self._call("GET", f"/publications/{run.uid}") if is_known else None
                state = state or await self._call("POST", "/publications", asked)
                heard, is_known = time.monotonic(), True
                if state and state.state != "copying":
                    return state
            except PublisherAwayError as error:
                _log.warning("publisher away", run=run.name, error=error)
                if time.monotonic() - heard > PUBLISHER_AWAY_SECONDS:
                    raise PublicationFailedError(f"nothing is published: {error}") from None
            if time.monotonic() - began > PUBLISH_SECONDS:
                text = f"nothing is published: it was not done after {PUBLISH_SECONDS:,.0f} seconds; write less at once"
                raise PublicationFailedError(text)
            await asyncio.sleep(PUBLISH_LOOK_SECONDS)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> _PublicationState | None:
        """Ask the publisher; None: it does not know the publication. Raises both errors."""
        try:
            headers = {"Authorization": f"Bearer {self._address.token_file.read_text().strip()}"}
            async with self._session.request(
                method,
                self._address.url.rstrip("/") + path,
                headers=headers,
                json=body,
                timeout=aiohttp.ClientTimeout(total=PUBLISHER_ANSWER_SECONDS),
                allow_redirects=False,
            ) as answer:
                if answer.status == 404 and method == "GET":
                    return None
                if answer.status >= 300:
                    raise _refusal(answer.status, (await answer.text())[:2_000])
                return _PublicationState.model_validate_json(await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            kind = type(error).__name__ if isinstance(error, ValidationError) else error or "no answer in time"
            raise PublisherAwayError(f"the publisher does not answer: {kind}") from None


def prefix_of(run: RunState, pod: PoolPod) -> str:
    """Return where in the storage a run is published: by its worker's name, which no other run has.

    That of a worker which keeps running has a part of the run's uid behind it.
    """
    return f"{pod.name}-{run.uid.replace('-', '')[:5]}/" if pod.mode == PERSISTENT else f"{pod.name}/"


def _refusal(status: int, said: str) -> PublisherAwayError | PublicationFailedError:
    try:
        reason = str(ApiProblem.model_validate_json(said).error)
    except ValidationError:
        reason = f"the publisher answers {status}"
    if status in (401, 403):
        reason = "it does not take the operator's token (DPPCTL_PUBLISHER_TOKEN_FILE)"
    if status in (401, 403, 408, 429) or status >= 500:
        return PublisherAwayError(f"the publisher does not answer: {reason}")
    return PublicationFailedError(f"nothing is published: {reason}")
