"""Databases of runs: how they are reached, and their web pages, which pass through.

A browser shows no bearer token. So who may see the run gets the pages' address with a ticket, which the first visit
changes into a cookie for this path alone. Behind it are Adminer's pages, which ask for the database's password.
"""

import re
import time
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import ValidationError
from yarl import URL

from bot.kubernetes import Object
from cluster.limits import DATABASE_PAGE_SECONDS, MAX_DATABASE_PAGE_BYTES, MAX_TICKET_SECONDS
from cluster.proxy.authentication import Authentication
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.refusals import RETRY, OperatorAwayError, RefusalError
from cluster.proxy.runs import NAME, find_run
from cluster.proxy.streams import cut_off
from cluster.proxy.tickets import is_valid, make_ticket
from cluster.runs_api import DatabaseAccess

_COOKIE = "dppctl_ticket"
# Passed on: nothing of ours, and nothing that is for one connection only.
_ASKED = ("Accept", "Accept-Language", "Content-Type", "User-Agent", "X-Requested-With")
_ANSWERED = (
    *("Content-Type", "Content-Disposition", "Location", "Cache-Control", "Expires", "Last-Modified", "Pragma"),
    *("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"),
)
_PLACE = re.compile(r";\s*(path|domain)=[^;]*", re.IGNORECASE)


class DatabaseRoutes:
    """`/v1/runs/NAME/database`, and below `/v1/runs/NAME/ui/` its pages."""

    def __init__(self, api: ClusterApi, operator: OperatorClient, session: aiohttp.ClientSession) -> None:
        """`session`: for calls to the pods of databases."""
        self._api, self._operator, self._session = api, operator, session

    def routes(self, auth: Authentication) -> list[web.RouteDef]:
        """Return the routes. Adminer has one page, which looks at the query."""
        pages = f"/v1/runs/{NAME}/ui/"
        return [
            web.get(f"/v1/runs/{NAME}/database", auth.guard("read", self.show)),
            web.get(pages, self.pass_on),
            web.post(pages, self.pass_on),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the address, the password, and the address of the pages for a browser."""
        found = await find_run(self._api, request)
        access = await self._access(found)
        if access.ui:
            spec = found["spec"]
            lasts = min(spec.get("timeoutSeconds", 0) + spec.get("keepSeconds", 0), MAX_TICKET_SECONDS)
            ticket = make_ticket(self._operator.ticket_key(), found["metadata"]["uid"], int(time.time() + lasts))
            access = access.model_copy(update={"ui": f"{_pages(found)}?{_COOKIE}={ticket}"})
        return web.json_response(text=access.model_dump_json(by_alias=True), headers={"Cache-Control": "no-store"})

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Let a page of the database's pod through to whoever has a ticket."""
        found = await self._api.run(request.match_info["name"])
        given = request.query.get(_COOKIE) or request.cookies.get(_COOKIE, "")
        uid = found["metadata"]["uid"] if found else ""
        if found is None or not is_valid(self._operator.ticket_key(), uid, given, time.time()):
            hint = "GET /v1/runs/NAME/database has the address; it holds for as long as the database"
            raise RefusalError(401, "no-ticket", "this address does not hold, or not any more", hint)
        if _COOKIE in request.query:
            response = web.Response(status=303, headers={"Location": _pages(found), "Referrer-Policy": "no-referrer"})
            is_secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
            response.set_cookie(_COOKIE, given, path=_pages(found), httponly=True, samesite="Lax", secure=is_secure)
            return response
        access = await self._access(found)
        if not access.ui:
            raise RefusalError(404, "no-pages", "this database has no pages")
        return await self._page(request, URL(access.ui).origin(), _pages(found))

    async def _access(self, found: Object) -> DatabaseAccess:
        access = await self._operator.database(found["metadata"]["uid"])
        if access is None:
            what = f"the run {found['metadata']['name']} has no database, or not any more"
            raise RefusalError(404, "no-database", what, "ask for one when you ask for the run")
        try:
            return DatabaseAccess.model_validate(access)
        except ValidationError:
            raise OperatorAwayError("it is of another version than the proxy") from None

    async def _page(self, request: web.Request, origin: URL, path: str) -> web.StreamResponse:
        if (request.content_length or 0) > MAX_DATABASE_PAGE_BYTES:
            raise RefusalError(413, "too-large", f"at most {MAX_DATABASE_PAGE_BYTES:,} bytes", "use psql: dppctl ssh")
        given = (each.strip() for each in request.headers.get("Cookie", "").split(";"))
        cookies = [each for each in given if each and not each.startswith(f"{_COOKIE}=")]
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        options: dict[str, Any] = {"data": await request.read()} if request.can_read_body else {}
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        # The path as it is: Adminer's links and cookies are for the one that it sees.
        url = URL(f"{origin}{request.raw_path}", encoded=True)
        timeout = aiohttp.ClientTimeout(sock_connect=10, sock_read=DATABASE_PAGE_SECONDS)
        response = web.StreamResponse()
        try:
            async with self._session.request(
                request.method, url, headers=headers, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                response.set_status(answer.status)
                for name in _ANSWERED:
                    if name in answer.headers:
                        response.headers[name] = answer.headers[name]
                for cookie in answer.headers.getall("Set-Cookie", []):
                    response.headers.add("Set-Cookie", f"{_PLACE.sub('', cookie)}; path={path}")
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if response.prepared:
                cut_off(request)
                return response
            what = f"the database's pages do not answer: {error or 'not in time'}"
            raise RefusalError(503, "database-away", what, "try again in a moment", RETRY) from None
        await response.write_eof()
        return response


def _pages(found: Object) -> str:
    return f"/v1/runs/{found['metadata']['name']}/ui/"
