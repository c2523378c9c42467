"""The proxy as an aiohttp application: its routes, and for every request an answer, a line of the log and a count."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.logs import get_logger
from cluster.limits import MAX_REQUEST_BYTES
from cluster.proxy.authentication import CALLER, Authentication, WrongTokens
from cluster.proxy.callers import Callers
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.databases import DatabaseRoutes
from cluster.proxy.exec import ExecRoutes
from cluster.proxy.landing import LandingPage, PublicAbout
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.pods import PodRoutes
from cluster.proxy.publications import PublicationRoutes
from cluster.proxy.publisher_client import PublisherClient
from cluster.proxy.refusals import Handler, answer_refusals
from cluster.proxy.runs import RunRoutes
from cluster.proxy.streams import StreamRoutes
from cluster.proxy.usage import ProxyUsage
from cluster.proxy.usage_routes import UsageRoutes
from cluster.runs_api import LoginInfo

_PROBES = ("/healthz", "/readyz", "/metrics")
_GONE = 499  # in log and counts: the client went away

_log = get_logger("dppctl.proxy")


class ProxyMetrics:
    """What Prometheus is shown."""

    def __init__(self) -> None:
        """Begin to count."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "dppctl_proxy_requests",
            "Requests",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "dppctl_proxy_seconds", "Until the answer, of a stream until its end", ["route"], registry=self._registry
        )
        self._wrong = Counter("dppctl_proxy_wrong_tokens", "Wrong tokens", registry=self._registry)

    def show(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is read when it is asked for."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def count(self, request: web.Request, status: int, seconds: float) -> None:
        """Count a request."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        self._requests.labels(request.method if resource else "", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_wrong_token(self) -> None:
        """Count a wrong token."""
        self._wrong.inc()

    def text(self) -> bytes:
        """Return all of it, as Prometheus reads it."""
        return generate_latest(self._registry)


@dataclass(frozen=True)
class ProxyAbout:
    """What it says of itself; `cluster`: the name that people see; `version`: of dppctl; `login`: how one does.

    `public`: what a public cluster says to everybody; None: it is a private one.
    """

    cluster: str
    version: str
    login: LoginInfo = field(default_factory=LoginInfo)
    public: PublicAbout | None = None


def make_application(
    api: ClusterApi,
    operator: OperatorClient,
    session: aiohttp.ClientSession,
    callers: Callers,
    about: ProxyAbout,
    usage: ProxyUsage | None = None,
    publisher: PublisherClient | None = None,
) -> web.Application:
    """Return the application.

    session: for terminals; usage: what keeps people to limits, and has a log kept; publisher: None: there is none.
    """
    metrics = ProxyMetrics()
    auth = Authentication(callers, WrongTokens(), metrics.count_wrong_token, usage.admit if usage else None)
    streams, terminals = StreamRoutes(api, operator, auth), ExecRoutes(api, session, auth, usage)
    metrics.show("dppctl_proxy_streams", "Streams of events that are open", lambda: streams.count)
    metrics.show("dppctl_proxy_terminals", "Terminals that are open", lambda: terminals.count)
    application = web.Application(
        middlewares=[_log_requests(metrics), *([usage.middleware()] if usage else []), answer_refusals],
        client_max_size=MAX_REQUEST_BYTES,
    )
    pods = PodRoutes(api, about.cluster, about.version, about.login, publisher.storage_url if publisher else "")
    runs = RunRoutes(api, operator, usage, can_relay=publisher is not None)
    databases, publications = DatabaseRoutes(api, operator, session), PublicationRoutes(api, operator, publisher, usage)
    for subject in (runs, databases, pods, UsageRoutes(api, usage), publications):
        application.add_routes(subject.routes(auth))
    application.add_routes([*streams.routes(), *terminals.routes(), *_probes(metrics)])
    if about.public:
        application.add_routes(LandingPage(about.cluster, about.version, about.public).routes())

    async def end(_: web.Application) -> None:
        streams.end()
        await terminals.end()

    application.on_shutdown.append(end)
    return application


def _probes(metrics: ProxyMetrics) -> list[web.RouteDef]:
    """Return the routes for Kubernetes and Prometheus.

    It is ready when it is alive, operator or not: what is away then is said in the answers.
    """

    async def show_health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        web.get("/healthz", show_health),
        web.get("/readyz", show_health),
        web.get("/metrics", show_metrics),
    ]


def _log_requests(metrics: ProxyMetrics) -> Middleware:
    @web.middleware
    async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
        began, status = time.monotonic(), 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except asyncio.CancelledError:
            status = _GONE
            raise
        finally:
            seconds = time.monotonic() - began
            if request.path not in _PROBES:
                metrics.count(request, status, seconds)
                caller = request.get(CALLER)
                who = {"user": caller.user, "token": caller.token} if caller else {}
                asked = {"method": request.method, "path": request.path, "status": status}  # no query: it may be secret
                _log.info("request", **asked, seconds=round(seconds, 3), address=request.remote, **who)

    return log_request
