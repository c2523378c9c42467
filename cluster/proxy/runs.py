"""Runs: asked for, looked at, stopped. A run is a PipelineRun whose user is the one of the token."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable

from aiohttp import web

from bot.kubernetes import ApiError, Object
from bot.logs import get_logger
from bot.model.account import Account
from bot.near_names import name_hint
from cluster.operator.state import read_pool
from cluster.proxy.answers import run_info, user_of
from cluster.proxy.authentication import CALLER, Authentication, check_scope, may_see
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.refusals import RefusalError
from cluster.proxy.requests import read_body
from cluster.proxy.service_token import SERVICE_USER
from cluster.proxy.usage import ProxyUsage, note
from cluster.runs_api import RunList, RunRequest, StopRequest

NAME = "{name:[a-z0-9][-a-z0-9.]{0,252}}"  # of an object of Kubernetes, in a route
_STOP = StopRequest()
_KEY = re.compile(r"[!-~]{1,200}")

_log = get_logger("dppctl.proxy")


class RunRoutes:
    """`/v1/runs`, but for what streams."""

    def __init__(
        self, api: ClusterApi, operator: OperatorClient, usage: ProxyUsage | None = None, *, can_relay: bool = False
    ) -> None:
        """Take what knows the runs, what has the workloads, and what keeps people to limits.

        can_relay: there is a publisher, which keeps what runs wrote for who publishes it elsewhere.
        """
        self._api, self._operator, self._usage, self._can_relay = api, operator, usage, can_relay

    def routes(self, auth: Authentication) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v1/runs", auth.guard("run", self.create)),
            web.get("/v1/runs", auth.guard("read", self.list)),
            web.get(f"/v1/runs/{NAME}", auth.guard("read", self.show)),
            web.post(f"/v1/runs/{NAME}/stop", auth.guard("run", self.stop)),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Create a run: 201; with an Idempotency-Key that was used: 200, and the run that it made."""
        caller = request[CALLER]
        name, is_new = _name(request.headers.get("Idempotency-Key"), caller)
        note(request, run=name)
        asked = await read_body(request, RunRequest)
        known = None if is_new else await self._api.run(name)
        if known is None:
            await self._check(asked)
            spec = _spec(asked, caller)
            if self._usage:
                spec |= await self._usage.reserve(request, name, asked)
            try:
                created = await self._create(name, spec)
            except ApiError as error:
                if error.status != 409 or is_new:
                    raise
                known = await self._api.run(name)  # the same request a moment ago
            else:
                _log.info("run created", run=name, user=caller.user, pool=asked.pool, workload=asked.workload.sha256)
                return _answer(created, 201)
        if known is None or user_of(known) != caller.user or _differs(known, asked):
            hint = "take another Idempotency-Key for another run"
            raise RefusalError(409, "key-used", f"this Idempotency-Key made another run, {name}", hint)
        return _answer(known, 200)

    async def list(self, request: web.Request) -> web.Response:
        """Answer with the caller's runs, the newest first; `?all=1`: everybody's."""
        caller = request[CALLER]
        everybody = request.query.get("all") == "1"
        if everybody:
            check_scope(caller, "admin")
        found = [run for run in await self._api.runs() if everybody or user_of(run) == caller.user]
        found.sort(key=lambda run: (run["metadata"]["creationTimestamp"], run["metadata"]["name"]), reverse=True)
        runs = RunList(runs=tuple(map(run_info, found)))
        return web.json_response(text=runs.model_dump_json(by_alias=True))

    async def show(self, request: web.Request) -> web.Response:
        """Answer with a run."""
        return _answer(await find_run(self._api, request), 200)

    async def stop(self, request: web.Request) -> web.Response:
        """Ask for a run's end; what has ended stays as it is."""
        asked, caller = await read_body(request, StopRequest), request[CALLER]
        if asked.reason != "UserStop" and caller.user != SERVICE_USER:
            raise RefusalError(403, "reason", f"reason: {asked.reason} is what the usage server says", "leave it out")
        found = await find_run(self._api, request)
        return _answer(await stop_run(self._api, found, caller, asked), 202)

    async def _create(self, name: str, spec: Object) -> Object:
        def create() -> Awaitable[Object]:
            return self._api.create_run(name, spec)

        return await (self._usage.create(spec, create) if self._usage else create())

    async def _check(self, asked: RunRequest) -> None:
        """Raise RefusalError unless the run can be had."""
        if asked.publish == "relay" and not self._can_relay:
            hint = "storage.enabled of its chart sets one up; or take `--no-publish`"
            raise RefusalError(400, "no-publisher", "publish: relay: this cluster has no publisher", hint)
        pools, is_there = await asyncio.gather(self._api.pools(), self._operator.has_workload(asked.workload.sha256))
        names = sorted(pool.name for pool in map(read_pool, pools))
        if asked.pool not in names and not asked.image:
            meant = name_hint(asked.pool, names) if names else "this cluster has no pools yet"
            raise RefusalError(404, "no-such-pool", f"there is no pool {asked.pool}", meant)
        if not is_there:
            what = f"the workload {asked.workload.sha256} is not here"
            raise RefusalError(409, "workload-missing", what, "upload it: PUT /v1/workloads/SHA256")


async def find_run(api: ClusterApi, request: web.Request) -> Object:
    """Return the run that a request names. Raises RefusalError when there is none, or it is somebody else's."""
    name = request.match_info["name"]
    found = await api.run(name)
    if found is None or not may_see(request[CALLER], user_of(found)):
        raise RefusalError(404, "no-such-run", f"there is no run {name} of yours", "GET /v1/runs lists them")
    return found


async def stop_run(api: ClusterApi, found: Object, caller: Account, asked: StopRequest = _STOP) -> Object:
    """Ask for the end of a run unless it has ended, and return it."""
    if run_info(found).phase.has_ended:
        return found
    _log.info("run stopped", run=found["metadata"]["name"], by=caller.user)
    return await api.stop_run(found, caller.user, asked.reason, asked.message)


def _name(key: str | None, caller: Account) -> tuple[str, bool]:
    """Return a run's name, the same for the same key of a user; and whether it cannot be there yet."""
    if key is None:
        return f"run-{secrets.token_hex(8)}", True
    if not _KEY.fullmatch(key):
        raise RefusalError(400, "invalid", "Idempotency-Key: must have 1 to 200 printable characters, without spaces")
    return f"run-{hashlib.sha256(f'{caller.user} {key}'.encode()).hexdigest()[:16]}", False


def _spec(asked: RunRequest, caller: Account) -> Object:
    spec = asked.model_dump(by_alias=True, mode="json")
    if not asked.image:
        del spec["image"]
    return {**spec, "user": caller.user}


def _differs(found: Object, asked: RunRequest) -> bool:
    spec = found["spec"]
    return (spec["pipelines"], spec["workload"]["sha256"]) != (list(asked.pipelines), asked.workload.sha256)


def _answer(found: Object, status: int) -> web.Response:
    run = run_info(found)
    headers = {"Location": f"/v1/runs/{run.name}"} if status == 201 else None
    return web.json_response(text=run.model_dump_json(by_alias=True), status=status, headers=headers)
