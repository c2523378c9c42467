"""The receiver and the dashboard as one WSGI application. All it knows it has from the store."""

from collections.abc import Callable, Set
from datetime import timedelta

from flask import Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from bot.logs import get_logger
from bot.model.registration import Target
from bot.settings import Settings
from bot.store.store import Store
from webhooks.change_stream import ChangeStream
from webhooks.dashboard import Pages
from webhooks.metrics import Metrics
from webhooks.receive import STORE_IS_AWAY, Receive
from webhooks.sync_reports import SyncReports

_log = get_logger("dppctl.webhooks")

Answer = tuple[Response, int]

# Nothing from elsewhere, nothing inline: what a payload or a log smuggles onto a page stays text.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(settings: Settings, targets: Set[Target], store: Store) -> Flask:
    """`targets` are what apps.yaml registers; whom a delivery concerns is looked up there."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.receiver.max_delivery_bytes
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = timedelta(minutes=5)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SQLAlchemyError, _store_is_away)
    app.after_request(_secure)
    pages = Pages(settings, targets, store)
    pages.add_filters(app)
    views: list[tuple[str, str, Callable[..., object], str]] = [
        ("/sync/events", "report", SyncReports(settings, store), "POST"),
        ("/healthz", "healthz", _healthz, "GET"),
        ("/readyz", "readyz", lambda: _readyz(store), "GET"),
        ("/metrics", "metrics", Metrics(store), "GET"),
        ("/", "deployments", pages.deployments, "GET"),
        ("/deployments/<int:identity>", "deployment", pages.deployment, "GET"),
        ("/apps/<path:app>/<environment>/<commit>", "newest", pages.newest, "GET"),
        ("/deployments/<int:identity>/log.txt", "log", pages.log, "GET"),
        ("/deployments/<int:identity>/receipt.json", "receipt", pages.receipt, "GET"),
        ("/events", "events", ChangeStream(store.totals.change_number), "GET"),
    ]
    for path, name, view, method in views:
        app.add_url_rule(path, name, view, methods=[method])  # type: ignore[arg-type]
    # https://flask.palletsprojects.com/en/stable/quickstart/#hooking-in-wsgi-middleware
    app.wsgi_app = Receive(settings, targets, store, app.wsgi_app)  # type: ignore[method-assign]
    return app


def _healthz() -> Answer:
    """The process answers."""
    return jsonify(status="ok"), 200


def _readyz(store: Store) -> Answer:
    """The store answers too, so deliveries can be taken."""
    store.totals.change_number()
    return jsonify(status="ok"), 200


def _refuse(error: HTTPException) -> Answer:
    return jsonify(error=error.description), error.code or 500


def _store_is_away(error: SQLAlchemyError) -> Answer:
    _log.error("store does not answer", error=type(error).__name__)
    return jsonify(error=STORE_IS_AWAY), 503


def _secure(answer: Response) -> Response:
    answer.headers.update(_HEADERS)
    return answer
