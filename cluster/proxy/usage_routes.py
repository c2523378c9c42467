"""What people used, as the usage server has it; and notices of the usage server for who follows a run."""

from aiohttp import web

from bot.logs import get_logger
from cluster.proxy.authentication import CALLER, Authentication, check_scope
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.refusals import RefusalError
from cluster.proxy.requests import read_body
from cluster.proxy.runs import NAME, find_run
from cluster.proxy.usage import ProxyUsage
from cluster.runs_api import NoticeRequest

_PASSED_ON = ("since", "format", "what")

_log = get_logger("dppctl.proxy")


class UsageRoutes:
    """`/v1/usage`, and `/v1/runs/NAME/notice`."""

    def __init__(self, api: ClusterApi, usage: ProxyUsage | None) -> None:
        """Take what knows the runs, and what asks the usage server; None: there is none."""
        self._api, self._usage = api, usage

    def routes(self, auth: Authentication) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v1/usage", auth.guard("read", self.report)),
            web.post(f"/v1/runs/{NAME}/notice", auth.guard("admin", self.notify)),
        ]

    async def report(self, request: web.Request) -> web.Response:
        """Answer with what somebody used: the caller, or who else is named, for `admin`; `all=1`: with what all did."""
        caller = request[CALLER]
        if self._usage is None:
            raise RefusalError(404, "no-usage", "this cluster counts no usage", "DPPCTL_USAGE_URL sets it up")
        everybody, user = request.query.get("all") == "1", request.query.get("user", caller.user)
        if everybody or user != caller.user:
            check_scope(caller, "admin")
        query = [(name, request.query[name]) for name in _PASSED_ON if name in request.query]
        if not everybody:
            query.append(("user", user))
        if user == caller.user:
            query += [("group", name) for name in sorted(caller.groups)]
        kind, text = await self._usage.client.report(query)
        return web.Response(body=text, content_type=kind, charset="utf-8")

    async def notify(self, request: web.Request) -> web.Response:
        """Leave a notice in the stream of a run: 202."""
        asked = await read_body(request, NoticeRequest)
        found = await find_run(self._api, request)
        await self._api.notify(found, asked.message)
        _log.info("notice", run=found["metadata"]["name"], message=asked.message)
        return web.json_response({"name": found["metadata"]["name"]}, status=202)
