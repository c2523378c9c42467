"""What others send: GitHub's deliveries and sync's reports. Recorded first, then answered; the bot reads the store."""

import hmac
import logging
import threading
from collections.abc import Set
from contextlib import nullcontext

from flask import Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, Unauthorized, UnsupportedMediaType

from bot.deliveries import NewDelivery
from bot.events import SyncEvent
from bot.registration import Target
from bot.settings import Settings
from bot.store import Store
from webhooks.delivery import FORM_TYPE, JSON_TYPE, DeliveryError, parse_delivery
from webhooks.signature import is_signed

_log = logging.getLogger("dppctl.webhooks")

Answer = tuple[Response, int]


class Receive:
    """The two views that take something."""

    def __init__(self, settings: Settings, targets: Set[Target], store: Store) -> None:
        self._secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
        self._bearer = f"Bearer {settings.sync_token.get_secret_value()}".encode()
        self._max_bytes = settings.max_delivery_bytes
        self._repositories = frozenset(target.app.repository for target in targets)
        self._store = store
        # SQLite has one writer at a time and lets the others sleep for longer than a write takes; a lock does not.
        self._turns = threading.Lock() if store.is_sqlite else nullcontext()

    def delivery(self) -> Answer:
        """A delivery of GitHub's, or of whatever signs like it. 202: recorded; 200: it was, before."""
        if request.mimetype not in (JSON_TYPE, FORM_TYPE):
            raise UnsupportedMediaType(f"expected {JSON_TYPE} or {FORM_TYPE}")
        body = request.get_data()  # 413 for one that is too large, before it is read
        if request.content_length is None and len(body) >= self._max_bytes:
            raise RequestEntityTooLarge  # sent in chunks; it was read up to the limit
        if not is_signed(body, request.headers.get("X-Hub-Signature-256"), self._secrets):
            raise Unauthorized("X-Hub-Signature-256 does not fit the body and the secret")
        try:
            delivery = parse_delivery(dict(request.headers), body)
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
            ignored=ignored,
        )
        with self._turns:
            seen = self._store.receive(new)
        outcome = "seen before" if seen == "seen" else f"ignored: {ignored}" if ignored else "accepted"
        fields = (delivery.id, delivery.event, repository, delivery.ref, outcome)
        _log.info("delivery=%s event=%s repository=%s ref=%s outcome=%s", *fields)
        return jsonify(delivery=delivery.id, outcome=outcome), 200 if seen == "seen" else 202

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
