"""Put the receiver and the dashboard together as one WSGI application. All it knows it has from the store."""

import secrets
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from bot.model.registration import Target, registered_for
from bot.page_hosts import is_page_host
from bot.probes import Probes
from bot.settings import Settings
from bot.store.store import Store
from webhooks import receive
from webhooks.acting import ActPages, Record
from webhooks.api import Api
from webhooks.change_stream import ChangeStream
from webhooks.dashboard import Pages
from webhooks.data_pages import DataPages, LocalData
from webhooks.deployment_page import DeploymentView
from webhooks.environment_page import EnvironmentView
from webhooks.feeds import Feeds
from webhooks.metrics import StoreMetrics
from webhooks.overview import Overview
from webhooks.page_login import PageLogin
from webhooks.problems import FOR_PROGRAMS, add_problem_pages
from webhooks.receive import DeliveryReceiver
from webhooks.shortcut import Shortcut
from webhooks.sync_reports import SyncReports
from webhooks.visitors import LocalVisitors, Visitors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_app(
    settings: Settings,
    targets: Set[Target],
    store: Store,
    *,
    shortcut: bool = True,
    visitors: Visitors | None = None,
    record: Record = lambda _: None,
    mounts: "Mapping[str, WSGIApplication] | None" = None,
    has_usage: bool = False,
    local_data: LocalData | None = None,
    release_of: Callable[[Target], str] | None = None,
) -> Flask:
    """Return the application. `targets` are what apps.yaml registers; whom a delivery concerns is looked up there.

    `shortcut`: deliveries do not pass through Flask (`webhooks.shortcut`). `visitors`: who may act; left out, who is at
    this machine. `record` writes down who did what. `mounts`: other applications by their paths, such as /auth.
    `has_usage`: there is a page at /usage/, here or beside. `local_data`: what environments of this machine have;
    `release_of` returns the release of helm that one on a cluster has.
    """
    visitors = visitors or LocalVisitors(secrets.token_bytes(32), settings.receiver.public_url)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.receiver.max_delivery_bytes
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = timedelta(minutes=5)
    add_problem_pages(app)
    app.before_request(partial(_refuse_other_hosts, settings.page_hosts))
    login = PageLogin(visitors, only_known=settings.receiver.pages == "login")
    login.add_to(app)
    app.jinja_env.globals.update(has_usage=has_usage, version=version("dppctl"))
    pages = Pages(settings, targets, store)
    pages.add_filters(app)
    data = DataPages(login, pages.is_registered, local_data, partial(_release, targets, release_of))
    app.jinja_env.globals["data_pages"] = data
    overview = Overview(targets, store)
    api = Api(store, overview.matrix, pages.is_registered)
    feeds = Feeds(store, pages.is_registered)
    acts = ActPages(targets, store, visitors, login, record)
    app.jinja_env.globals["buttons"] = acts.buttons
    probes = Probes(healthy=lambda: None, ready=lambda: _reach(store), metrics=StoreMetrics(store))
    receiver = DeliveryReceiver(settings, targets, store)
    views: list[tuple[str, str, Callable[..., object], str]] = [
        (receive.PATH, "receive", receiver.view, "POST"),
        ("/sync/events", "report", SyncReports(settings, targets, store).view, "POST"),
        ("/healthz", "healthz", lambda: Response.from_app(probes.respond, request.environ), "GET"),
        ("/readyz", "readyz", lambda: Response.from_app(probes.respond, request.environ), "GET"),
        ("/metrics", "metrics", lambda: Response.from_app(probes.respond, request.environ), "GET"),
        ("/", "deployments", overview.view, "GET"),
        ("/deployments/<int:identity>", "deployment", DeploymentView(settings, store, pages, acts).view, "GET"),
        ("/api/openapi.json", "openapi", api.openapi, "GET"),
        ("/api/deployments", "api_deployments", api.deployments, "GET"),
        ("/api/deployments/<int:identity>", "api_deployment", api.deployment, "GET"),
        ("/api/environments", "api_environments", api.environments, "GET"),
        ("/apps/<path:app>/<environment>/history.json", "history", api.history, "GET"),
        ("/apps/<path:app>/<environment>/history.csv", "history_csv", api.history_csv, "GET"),
        ("/apps/<path:app>/<environment>/feed.atom", "feed", feeds.atom, "GET"),
        ("/apps/<path:app>/<environment>/badge.svg", "badge", feeds.badge, "GET"),
        ("/apps/<path:app>/<environment>/<string(length=40):commit>", "newest", pages.newest, "GET"),
        ("/apps/<path:app>/<environment>", "environment", EnvironmentView(store, pages, data, acts).view, "GET"),
        ("/data/", "data_start", data.view, "GET"),
        ("/data/<path:path>", "data", data.view, "GET"),
        ("/acts/<act>", "confirm", acts.confirm, "GET"),
        ("/acts/<act>", "perform", acts.perform, "POST"),
        ("/requests/<int:identity>", "request", acts.request, "GET"),
        ("/deployments/<int:identity>/log.txt", "log", pages.log, "GET"),
        ("/deployments/<int:identity>/receipt.json", "receipt", pages.receipt, "GET"),
        ("/events", "events", ChangeStream(store.totals.change_number).view, "GET"),
    ]
    for path, name, view, method in views:
        # Without OPTIONS, which nobody needs here.
        app.add_url_rule(path, name, view, methods=[method], provide_automatic_options=False)  # type: ignore[arg-type]
    if mounts:  # https://werkzeug.palletsprojects.com/en/stable/middleware/dispatcher/
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, dict(mounts))  # type: ignore[method-assign]
    if shortcut:  # https://flask.palletsprojects.com/en/stable/quickstart/#hooking-in-wsgi-middleware
        app.wsgi_app = Shortcut(receiver, app.wsgi_app).respond  # type: ignore[method-assign]
    return app


def _release(
    targets: Set[Target], release_of: Callable[[Target], str] | None, app: str, environment: str
) -> str | None:
    """Return the release of helm of an environment; None: it has none, or is not registered."""
    found = registered_for(app, environment, targets)
    return release_of(found[0]) if release_of and found else None


def _refuse_other_hosts(hosts: Sequence[str]) -> None:
    """Refuse a page for a host name that is not ours: https://en.wikipedia.org/wiki/DNS_rebinding. Raises Forbidden.

    What programs ask for is signed, or says nothing of anybody's; a cluster's probes come by the pod's address.
    """
    if request.endpoint not in FOR_PROGRAMS and not is_page_host(request.host, hosts):
        raise Forbidden(f"{request.host} is not known here; DPPCTL_ALLOWED_HOSTS or DPPCTL_PUBLIC_URL can name it")


def _reach(store: Store) -> str | None:
    """Return why no deliveries can be taken; None when the store answers and has room. Raises SQLAlchemyError."""
    store.totals.change_number()
    try:
        store.database.check_room()
    except OSError as error:
        return f"{Path(store.database.file).parent}: {error.strerror}; nothing can be written down there"
    return None
