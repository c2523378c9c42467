"""Pods of the pools: which there are, whose they are, and their end."""

import asyncio

from aiohttp import web

from bot.kubernetes import Object
from bot.logs import get_logger
from cluster.operator.state import COMPONENT, RUN, WORKER, Pool, read_pool
from cluster.proxy.answers import pod_infos, pool_infos, user_of
from cluster.proxy.authentication import CALLER, Authentication, may_see
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.refusals import RefusalError
from cluster.proxy.runs import NAME, stop_run
from cluster.runs_api import ClusterInfo, LoginInfo, PodList, StorageInfo

_log = get_logger("dppctl.proxy")


class PodRoutes:
    """`/v1/login`, `/v1/cluster` and `/v1/pods`, but for what runs in them."""

    def __init__(self, api: ClusterApi, cluster: str, version: str, login: LoginInfo, storage_url: str = "") -> None:
        """`cluster`: its name; `version`: of dppctl; `login`: how people log in; `storage_url`: "": there is none."""
        self._storage = StorageInfo(url=storage_url) if storage_url else None
        self._api, self._cluster, self._version, self._login = api, cluster, version, login

    def routes(self, auth: Authentication) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v1/login", self.show_login),
            web.get("/v1/cluster", auth.guard(None, self.show_cluster)),
            web.get("/v1/pods", auth.guard("read", self.list)),
            web.delete(f"/v1/pods/{NAME}", auth.guard("run", self.remove)),
        ]

    async def show_login(self, _: web.Request) -> web.Response:
        """Answer with how people log in, who need to know that before they have a token."""
        return web.json_response(text=self._login.model_dump_json(by_alias=True))

    async def show_cluster(self, request: web.Request) -> web.Response:
        """Answer with what the cluster is, and what the caller may do there."""
        caller = request[CALLER]
        pools, pods = await asyncio.gather(self._api.pools(), self._api.pods())
        found: list[Pool] = sorted(map(read_pool, pools), key=lambda pool: pool.name)
        info = ClusterInfo(
            name=self._cluster,
            version=self._version,
            public=self._login.public,
            user=caller.user,
            login=caller.login,
            scopes=caller.scope_names,
            pools=pool_infos(found, pods),
            storage=self._storage,
        )
        return web.json_response(text=info.model_dump_json(by_alias=True))

    async def list(self, request: web.Request) -> web.Response:
        """Answer with all pods; the name of a run is shown to those who may see the run."""
        caller = request[CALLER]
        pods, runs = await asyncio.gather(self._api.pods(), self._api.runs())
        seen = [run["metadata"] for run in runs if may_see(caller, user_of(run))]
        infos = pod_infos(pods, {about["uid"]: about["name"] for about in seen})
        return web.json_response(text=PodList(pods=infos).model_dump_json(by_alias=True))

    async def remove(self, request: web.Request) -> web.Response:
        """End a pod: 202. A worker's run is stopped, and the operator sees to the worker."""
        found, run = await find_pod(self._api, request)
        if run is not None and found["metadata"]["labels"][COMPONENT] == WORKER:
            await stop_run(self._api, run, request[CALLER])
        else:
            await self._api.remove_pod(found)
            _log.info("pod removed", pod=request.match_info["name"], by=request[CALLER].user)
        return web.json_response({"name": request.match_info["name"]}, status=202)


async def find_pod(api: ClusterApi, request: web.Request) -> tuple[Object, Object | None]:
    """Return the pod that a request names, and the run that has it; one without a run is for `admin` alone.

    Raises RefusalError when there is none, or it is another's.
    """
    name, caller = request.match_info["name"], request[CALLER]
    found = await api.pod(name)
    missing = RefusalError(404, "no-such-pod", f"there is no pod {name} of yours", "GET /v1/pods lists them")
    if found is None:
        raise missing
    uid = found["metadata"]["labels"].get(RUN)
    run = next((run for run in await api.runs() if run["metadata"]["uid"] == uid), None) if uid else None
    if run is not None and may_see(caller, user_of(run)):
        return found, run
    if caller.is_admin:
        return found, None
    if run is None and not uid:
        what = f"the pod {name} has no run; this needs the scope admin, which the token {caller.token!r} has not"
        raise RefusalError(403, "scope", what, "name a pod that a run of yours has")
    raise missing
