"""The receiver: takes deliveries and sync's reports, shows the deployments."""

import hmac
import logging
from collections.abc import Callable, Set
from datetime import UTC, datetime

from flask import Flask, Response, jsonify, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException, Unauthorized, UnsupportedMediaType

from bot.events import SyncEvent
from bot.names import short
from bot.settings import Settings
from bot.store import DeliveryRecord, Store
from webhooks.delivery import FORM_TYPE, JSON_TYPE, Delivery, DeliveryError, parse_delivery
from webhooks.signature import is_signed

_log = logging.getLogger("dppctl.webhooks")

Answer = tuple[Response, int]


def create_app(settings: Settings, repositories: Set[str], store: Store, wake: Callable[[str], None]) -> Flask:
    """The WSGI application.

    `repositories` (OWNER/REPO) are the registered ones; `wake` is called with one of them when it has changed.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_delivery_bytes
    app.jinja_env.filters["short"] = short
    app.register_error_handler(HTTPException, _refuse)
    views = _Views(settings, repositories, store, wake)
    app.add_url_rule("/webhooks/github", view_func=views.receive, methods=["POST"])
    app.add_url_rule("/sync/events", view_func=views.report, methods=["POST"])
    app.add_url_rule("/healthz", view_func=views.health)
    app.add_url_rule("/", view_func=views.deployments)
    return app


class _Views:
    def __init__(self, settings: Settings, repositories: Set[str], store: Store, wake: Callable[[str], None]) -> None:
        self._secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
        self._bearer = f"Bearer {settings.sync_token.get_secret_value()}".encode()
        self._repositories = repositories
        self._store = store
        self._wake = wake

    def receive(self) -> Answer:
        """A delivery of GitHub's, or of whatever signs like it."""
        if request.mimetype not in (JSON_TYPE, FORM_TYPE):
            raise UnsupportedMediaType(f"expected {JSON_TYPE} or {FORM_TYPE}")
        body = request.get_data()  # 413 for one that is too large, before it is read
        if not is_signed(body, request.headers.get("X-Hub-Signature-256"), self._secrets):
            raise Unauthorized("X-Hub-Signature-256 does not fit the body and the secret")
        try:
            delivery = parse_delivery(dict(request.headers), body)
        except DeliveryError as error:
            raise BadRequest(str(error)) from None
        outcome = delivery.outcome(self._repositories)
        is_new = self._store.record_delivery(_record(delivery, outcome))
        fields = (delivery.id, delivery.event, delivery.repository, delivery.ref, outcome, is_new)
        _log.info("delivery=%s event=%s repository=%s ref=%s outcome=%s new=%s", *fields)
        changed = delivery.registered(self._repositories)
        if changed and outcome == "accepted":
            self._wake(changed)  # for a repeated delivery too: to look costs little and harms nothing
        if not is_new:
            return jsonify(delivery=delivery.id, outcome="seen before"), 200
        return jsonify(delivery=delivery.id, outcome=outcome), 202

    def report(self) -> Answer:
        """How far sync is with a deployment."""
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._bearer):
            raise Unauthorized("the bearer token is not sync's")
        try:
            event = SyncEvent.model_validate_json(request.get_data())
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"]) or "the body"
            raise BadRequest(f"{place}: {problem['msg']}") from None
        self._store.record_event(event)
        return jsonify(outcome="accepted"), 202

    def health(self) -> Answer:
        """The process answers."""
        return jsonify(status="ok"), 200

    def deployments(self) -> str:
        """The page for people."""
        return render_template("deployments.html", deployments=self._store.deployments())


def _record(delivery: Delivery, outcome: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=delivery.id,
        event=delivery.event,
        repository=delivery.repository,
        ref=delivery.ref,
        before=delivery.before,
        after=delivery.after,
        outcome=outcome,
        received=datetime.now(UTC),
    )


def _refuse(error: HTTPException) -> Answer:
    return jsonify(error=error.description), error.code or 500
