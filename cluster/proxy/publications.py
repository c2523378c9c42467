"""What was written elsewhere, published here; and what runs wrote here, for who publishes it elsewhere.

A publication is asked for by somebody who may run something, who is given a token for one upload. What is uploaded
counts for the one who asked, also when that one does not wait for the end.
"""

import asyncio
import re
import secrets
import time
from datetime import UTC, datetime

from aiohttp import web

from bot.logs import get_logger
from bot.model.account import Account
from cluster.limits import (
    PUBLISH_LOOK_SECONDS,
    PUBLISH_SECONDS,
    PUBLISHER_AWAY_SECONDS,
    UPLOAD_SECONDS,
    UPLOAD_TOKEN_SECONDS,
)
from cluster.proxy.authentication import CALLER, Authentication
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.publisher_client import PublisherClient, PublisherOutageError, UploadState
from cluster.proxy.refusals import RefusalError
from cluster.proxy.requests import read_body
from cluster.proxy.runs import NAME, find_run
from cluster.proxy.streams import Upload, pass_on
from cluster.proxy.upload_tokens import UploadToken, read, sign
from cluster.proxy.usage import ProxyUsage, note
from cluster.runs_api import PublishedFiles, PublishGrant, PublishRequest

_UID = "{uid:[0-9a-f]{32}}"
_BEARER = re.compile(r"Bearer +([!-~]{1,4000})", re.IGNORECASE)

_log = get_logger("dppctl.proxy")


class PublicationRoutes:
    """`/v1/publications`, and `/v1/runs/NAME/publication`."""

    def __init__(
        self, api: ClusterApi, operator: OperatorClient, publisher: PublisherClient | None, usage: ProxyUsage | None
    ) -> None:
        """Take what knows the runs, whose key signs, what publishes, and what counts."""
        self._api, self._operator, self._publisher, self._usage = api, operator, publisher, usage
        self._ending: set[asyncio.Task[UploadState]] = set()

    def routes(self, auth: Authentication) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v1/publications", auth.guard("run", self.create)),
            web.put(f"/v1/publications/{_UID}", self.upload),
            web.get(f"/v1/runs/{NAME}/publication", auth.guard("read", self.show_files)),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Answer with a token for one upload: 201."""
        publisher, caller = self._storage(), request[CALLER]
        asked = await read_body(request, PublishRequest)
        uid = secrets.token_hex(16)
        note(request, bytes=asked.bytes)
        day_bytes = await self._usage.reserve_upload(request, uid, asked.bytes) if self._usage else None
        expires = int(time.time()) + UPLOAD_TOKEN_SECONDS
        # A part of the uid, as somebody else may ask for the same name; whoever knows one knows no other.
        token = UploadToken(
            uid=uid,
            prefix=f"{asked.name}-{uid[:10]}/",
            limit_bytes=asked.bytes,
            expires=expires,
            user=caller.user,
            login=caller.login,
            day_bytes=day_bytes,
        )
        grant = PublishGrant(
            uid=uid,
            prefix=token.prefix,
            token=sign(self._operator.ticket_key(), token),
            expires=datetime.fromtimestamp(expires, UTC),
            limit_bytes=asked.bytes,
            url=f"{publisher.storage_url}/{token.prefix}",
        )
        return web.json_response(text=grant.model_dump_json(by_alias=True), status=201)

    async def upload(self, request: web.Request) -> web.Response:
        """Publish a tar, and answer once all of it is to be seen: 200. The same one again changes nothing."""
        publisher = self._storage()
        token = self._token(request)
        request[CALLER] = Account(token.user, token.login, frozenset({"run"}), token="upload")  # noqa: S106 (its kind)
        length = request.content_length
        if length is None and "chunked" not in request.headers.get("Transfer-Encoding", ""):
            raise RefusalError(411, "length-required", "an upload needs a Content-Length, or to be chunked")
        content = Upload(request.content)
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                state = await publisher.upload(token, content.pieces())
        except TimeoutError:
            raise _not_whole("came too slowly") from None
        except RefusalError:
            if not content.problem:
                raise
            raise _not_whole(content.problem) from None
        ending = asyncio.create_task(self._end(request, publisher, token, state))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        ended = await asyncio.shield(ending)
        if ended.state == "failed":
            raise RefusalError(502, "not-published", f"nothing is published: {ended.error}", "try again")
        files = PublishedFiles(items=ended.items, bytes=ended.bytes)
        return web.json_response(text=files.model_dump_json(by_alias=True))

    async def show_files(self, request: web.Request) -> web.StreamResponse:
        """Answer with a tar of what a run wrote, if it asked for that: for an hour after its end."""
        if self._publisher is None:
            raise RefusalError(404, "no-publisher", "this cluster has no publisher", "storage.enabled sets one up")
        run = await find_run(self._api, request)
        async with self._publisher.files(run["metadata"]["uid"]) as upstream:
            if upstream.status == 404:
                what = f"nothing of the run {run['metadata']['name']} is kept to be published"
                hint = "it is kept for an hour, of runs that ask for `publish: relay`; run it again"
                raise RefusalError(404, "no-publication", what, hint)
            return await pass_on(request, upstream, {"Content-Type": "application/x-tar", "Cache-Control": "no-store"})

    async def _end(
        self, request: web.Request, publisher: PublisherClient, token: UploadToken, state: UploadState
    ) -> UploadState:
        """Return how a publication ended, and have it counted."""
        until, heard = time.monotonic() + PUBLISH_SECONDS, time.monotonic()
        while state.state == "copying":
            await asyncio.sleep(PUBLISH_LOOK_SECONDS)
            try:
                state, heard = await publisher.state(token.uid), time.monotonic()
            except PublisherOutageError:  # it has all of it, and goes on when it is back
                if time.monotonic() - heard > PUBLISHER_AWAY_SECONDS:
                    raise
            if state.state == "copying" and time.monotonic() > until:
                what = f"it was not published after {PUBLISH_SECONDS:,} seconds"
                raise RefusalError(504, "slow", what, "whoever runs this cluster has to see to the publisher")
        if state.state == "published":
            _log.info("published", user=token.user, prefix=token.prefix, bytes=state.bytes)
            if self._usage:
                self._usage.count_upload(request, token.uid, token.prefix, state.bytes)
        return state

    def _storage(self) -> PublisherClient:
        if self._publisher is None or not self._publisher.storage_url:
            raise RefusalError(404, "no-storage", "this cluster publishes nothing", "choose one that has a storage")
        return self._publisher

    def _token(self, request: web.Request) -> UploadToken:
        """Return what the upload token of a request is for. Raises RefusalError unless it is for this upload."""
        found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        token = read(self._operator.ticket_key(), found.group(1), time.time()) if found else None
        if token is None or token.uid != request.match_info["uid"]:
            what = "the upload token is missing or wrong, or its 15 minutes are over"
            raise RefusalError(401, "unauthorized", what, "POST /v1/publications gives another one")
        return token


def _not_whole(problem: str) -> RefusalError:
    return RefusalError(408, "slow", f"the publication {problem}; nothing of it is published", "upload it again")
