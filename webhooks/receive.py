"""Takes GitHub's deliveries: recorded first, then answered; the bot reads the store.

A WSGI function of its own, in front of Flask: what Flask does for a page (contexts, routes, signals) would be most of
what a delivery costs, and a delivery needs none of it.
"""

import json
from collections.abc import Iterable, Mapping, Set
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    RequestEntityTooLarge,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)
from werkzeug.wsgi import get_content_length, get_input_stream

from bot.logs import get_logger
from bot.model.registration import Target
from bot.settings import Settings
from bot.store.deliveries import NewDelivery
from bot.store.store import Store
from webhooks.batching import Batcher
from webhooks.payload import FORM_TYPE, JSON_TYPE, DeliveryError, parse_delivery
from webhooks.signature import is_signed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/webhooks/github"
STORE_IS_AWAY = "the store does not answer; try again later"
_MOST_TOGETHER = 100  # deliveries in one transaction

_log = get_logger("dppctl.webhooks")


class Receive:
    """Answers `POST /webhooks/github`, and hands everything else on."""

    def __init__(self, settings: Settings, targets: Set[Target], store: Store, others: "WSGIApplication") -> None:
        self._secrets = [secret.get_secret_value() for secret in settings.receiver.webhook_secrets]
        self._max_bytes = settings.receiver.max_delivery_bytes
        # Of ops repos too: sync is to hear of what people push there, and Argo CD and Flux set statuses.
        self._repositories = frozenset(one.repository for target in targets for one in (target.app, target.ops))
        self._remember = Batcher(store.deliveries.receive_all, most=_MOST_TOGETHER)
        self._others = others

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """https://peps.python.org/pep-3333/"""
        if environ["PATH_INFO"] != PATH:
            return self._others(environ, start_response)
        headers = {"Content-Type": JSON_TYPE, "X-Content-Type-Options": "nosniff"}
        try:
            code, answer = self._take(environ)
        except HTTPException as error:
            code, answer = error.code or 500, {"error": error.description}
            if isinstance(error, MethodNotAllowed):
                headers["Allow"] = "POST"
        body = json.dumps(answer).encode()
        headers["Content-Length"] = str(len(body))
        start_response(f"{code} {HTTPStatus(code).phrase}", list(headers.items()))
        return [body]

    def _take(self, environ: "WSGIEnvironment") -> tuple[int, Mapping[str, Any]]:
        """202: recorded; 200: it was, before. Raises HTTPException."""
        if environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed(description="deliveries are POSTed")
        content_type = environ.get("CONTENT_TYPE", "")
        if content_type.partition(";")[0].strip().lower() not in (JSON_TYPE, FORM_TYPE):
            raise UnsupportedMediaType(f"expected {JSON_TYPE} or {FORM_TYPE}")
        body = self._body(environ)
        if not is_signed(body, environ.get("HTTP_X_HUB_SIGNATURE_256"), self._secrets):
            raise Unauthorized("X-Hub-Signature-256 does not fit the body and the secret")
        headers = {
            "X-GitHub-Delivery": environ.get("HTTP_X_GITHUB_DELIVERY", ""),
            "X-GitHub-Event": environ.get("HTTP_X_GITHUB_EVENT", ""),
            "Content-Type": content_type,
        }
        try:
            delivery = parse_delivery(headers, body)
        except DeliveryError as error:
            raise BadRequest(str(error)) from None
        ignored = delivery.reason_to_ignore(self._repositories)
        repository = delivery.registered(self._repositories) or delivery.repository
        new = NewDelivery(
            id=delivery.id,
            event=delivery.event,
            repository=repository,
            ref=delivery.ref,
            before=delivery.before,
            after=delivery.after,
            status=delivery.status,
            ignored=ignored,
        )
        try:
            arrival = self._remember(new)
        except SQLAlchemyError as error:
            # GitHub shows the delivery as failed, and it can be sent again; the re-check by the clock does not need it.
            _log.error("store does not answer", error=type(error).__name__)
            raise ServiceUnavailable(STORE_IS_AWAY) from None
        outcome = "seen before" if arrival == "seen" else f"ignored: {ignored}" if ignored else "accepted"
        _log.info(
            "received",
            delivery=delivery.id,
            kind=delivery.event,
            repository=repository,
            ref=delivery.ref,
            outcome=outcome,
        )
        return 200 if arrival == "seen" else 202, {"delivery": delivery.id, "outcome": outcome}

    def _body(self, environ: "WSGIEnvironment") -> bytes:
        """The raw bytes: 413 for a body that is too large, before it is read."""
        body = get_input_stream(environ, max_content_length=self._max_bytes).read()
        if get_content_length(environ) is None and len(body) >= self._max_bytes:
            raise RequestEntityTooLarge  # sent in chunks; it was read up to the limit
        return body
