"""Put the receiver and the dashboard together as one WSGI application. All it knows it has from the store."""

import secrets
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import Forbidden, HTTPException, MethodNotAllowed
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response as BaseResponse

from bot.logs import get_logger
from bot.model.registration import Target
from bot.page_hosts import is_page_host
from bot.probes import Probes
from bot.settings import Settings
from bot.store.store import Store
from webhooks import receive
from webhooks.acting import ActPages, Record
from webhooks.change_stream import ChangeStream
from webhooks.dashboard import Pages
from webhooks.data_pages import DataPages, LocalData
from webhooks.metrics import StoreMetrics
from webhooks.page_login import PageLogin
from webhooks.receive import STORE_IS_AWAY, DeliveryReceiver
from webhooks.refusals import RefusedAct
from webhooks.shortcut import Shortcut
from webhooks.sync_reports import SyncReports
from webhooks.visitors import LocalVisitors, Visitors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = get_logger("dppctl.webhooks")

Answer = tuple[Response, int]

_FOR_PROGRAMS = ("receive", "report", "healthz", "readyz", "metrics")


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
) -> Flask:
    """Return the application. `targets` are what apps.yaml registers; whom a delivery concerns is looked up there.

    `shortcut`: deliveries do not pass through Flask (`webhooks.shortcut`). `visitors`: who may act; left out, who is at
    this machine. `record` writes down who did what. `mounts`: other applications by their paths, such as /auth.
    `has_usage`: there is a page at /usage/, here or beside. `local_data`: what environments of this machine have.
    """
    visitors = visitors or LocalVisitors(secrets.token_bytes(32), settings.receiver.public_url)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.receiver.max_delivery_bytes
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = timedelta(minutes=5)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SQLAlchemyError, _store_is_away)
    app.before_request(partial(_refuse_other_hosts, settings.page_hosts))
    login = PageLogin(visitors, only_known=settings.receiver.pages == "login")
    login.add_to(app)
    app.jinja_env.globals["has_usage"] = has_usage
    pages = Pages(settings, targets, store)
    pages.add_filters(app)
    data = DataPages(login, pages.is_registered, local_data)
    app.jinja_env.globals["data_pages"] = data
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
        ("/", "deployments", pages.deployments, "GET"),
        ("/deployments/<int:identity>", "deployment", pages.deployment, "GET"),
        ("/apps/<path:app>/<environment>/<string(length=40):commit>", "newest", pages.newest, "GET"),
        ("/apps/<path:app>/<environment>", "environment", pages.environment, "GET"),
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


def _refuse_other_hosts(hosts: Sequence[str]) -> None:
    """Refuse a page for a host name that is not ours: https://en.wikipedia.org/wiki/DNS_rebinding. Raises Forbidden.

    What programs ask for is signed, or says nothing of anybody's; a cluster's probes come by the pod's address.
    """
    if request.endpoint not in _FOR_PROGRAMS and not is_page_host(request.host, hosts):
        raise Forbidden(f"{request.host} is not known here; DPPCTL_ALLOWED_HOSTS or DPPCTL_PUBLIC_URL can name it")


def _reach(store: Store) -> str | None:
    """Return why no deliveries can be taken; None when the store answers and has room. Raises SQLAlchemyError."""
    store.totals.change_number()
    try:
        store.database.check_room()
    except OSError as error:
        return f"{Path(store.database.file).parent}: {error.strerror}; nothing can be written down there"
    return None


def _refuse(error: HTTPException) -> Answer | BaseResponse:
    """Answer in JSON, and acts with a page; for a wrong method with the right ones."""
    if isinstance(error, RefusedAct):
        return error.page()
    wrong_method = isinstance(error, MethodNotAllowed)
    is_delivery = wrong_method and request.path == receive.PATH
    response = jsonify(error="deliveries are POSTed" if is_delivery else error.description)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response, error.code or 500


def _store_is_away(error: SQLAlchemyError) -> Answer:
    _log.error("store does not answer", error=type(error).__name__)
    return jsonify(error=STORE_IS_AWAY), 503
