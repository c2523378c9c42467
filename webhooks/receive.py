"""Receive GitHub's deliveries: each is recorded before it is answered; the bot reads the store."""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from flask import request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from werkzeug.wsgi import get_content_length, get_input_stream

from bot.logs import get_logger
from bot.model.registration import Target
from bot.model.webhook_events import Event, Ignored, Ping, RefEvent
from bot.settings import Settings
from bot.store.deliveries import Arrival, NewDelivery
from bot.store.store import Store
from webhooks.batching import Batcher
from webhooks.bot_waker import wake_bot
from webhooks.limits import MAX_BATCH
from webhooks.payload import FORM_TYPE, JSON_TYPE, DeliveryError, media_type, read_delivery
from webhooks.rate_limit import RateLimit
from webhooks.signature import is_signed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PATH = "/webhooks/github"
STORE_IS_AWAY = "the store does not answer; try again later"

_log = get_logger("dppctl.webhooks")


class DeliveryReceiver:
    """Checks deliveries and records them, those that come at the same time together."""

    def __init__(self, settings: Settings, targets: Set[Target], store: Store) -> None:
        """Record deliveries in `store`; those about repositories of other apps than `targets` as ignored."""
        self._secrets = [secret.get_secret_value() for secret in settings.receiver.webhook_secrets]
        self._max_bytes = settings.receiver.max_delivery_bytes
        # Of ops repos too: sync is to hear of what people push there, and Argo CD and Flux set statuses.
        repositories = {path.repository for target in targets for path in (target.app, target.ops)}
        self._registered = {name.casefold(): name for name in repositories}
        self._store = store
        self._batcher = Batcher(self._record, MAX_BATCH)
        self._rate_limit = RateLimit(settings.receiver.deliveries_a_minute)
        self._totals = store.totals

    def view(self) -> tuple[dict[str, str], int]:
        """Answer `POST /webhooks/github` with 202: recorded, or 200: it was, before. Raises HTTPException."""
        return self.receive(request.environ)

    def receive(self, environ: "WSGIEnvironment") -> tuple[dict[str, str], int]:
        """Record a delivery. Return the answer and its code. Raises HTTPException for what is refused."""
        content_type = environ.get("CONTENT_TYPE", "")
        if media_type(content_type) not in (JSON_TYPE, FORM_TYPE):
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
            identity, event = read_delivery(headers, body)
        except DeliveryError as error:
            raise BadRequest(str(error)) from None
        if seconds := self._rate_limit.wait((event.repository or "").casefold()):
            self._refuse_more(event.repository, seconds)
        registered = self._registered.get((event.repository or "").casefold())
        ignored = reason_to_ignore(event, registered)
        event = replace(event, repository=registered or event.repository)
        try:
            arrival = self._batcher.call(NewDelivery(identity, event, ignored))
        except SQLAlchemyError as error:
            # GitHub shows the delivery as failed, and it can be sent again; the re-check by the clock does not need it.
            _log.error("store does not answer", delivery=identity, error=type(error).__name__)
            raise ServiceUnavailable(STORE_IS_AWAY) from None
        outcome = "seen before" if arrival == "seen" else f"ignored: {ignored}" if ignored else "accepted"
        _log.info("received", delivery=identity, outcome=outcome, **_fields(event))
        return {"delivery": identity, "outcome": outcome}, 200 if arrival == "seen" else 202

    def _refuse_more(self, repository: str | None, seconds: int) -> NoReturn:
        """Count a delivery that is one too many. Raises TooManyRequests; nothing is lost, the clock brings a look."""
        try:
            self._totals.add({"deliveries_limited": 1})
        except SQLAlchemyError:
            raise ServiceUnavailable(STORE_IS_AWAY) from None
        text = (
            f"too many deliveries of {repository} in this minute (DPPCTL_DELIVERIES_A_MINUTE); it is looked at anyway"
        )
        raise TooManyRequests(text, retry_after=seconds)

    def _record(self, deliveries: Sequence[NewDelivery]) -> list[Arrival]:
        arrivals = self._store.deliveries.record_all(deliveries)
        if any(delivery.ignored is None for delivery in deliveries):
            wake_bot()
        return arrivals

    def _body(self, environ: "WSGIEnvironment") -> bytes:
        """Return the raw bytes. Raises RequestEntityTooLarge before a body that is too large is read."""
        body = get_input_stream(environ, max_content_length=self._max_bytes).read()
        if get_content_length(environ) is None and len(body) >= self._max_bytes:
            raise RequestEntityTooLarge  # sent in chunks; it was read up to the limit
        return body


def reason_to_ignore(event: Event, registered: str | None) -> str | None:
    """Return why the bot is not to look at the repository; None: it is. `registered`: its name in apps.yaml."""
    match event:
        case Ping():
            return "pong; the webhook is set up"
        case Ignored():
            return f"{event.name} events change nothing here"
    return None if registered else "the repository is not registered"


def _fields(event: Event) -> dict[str, Any]:
    """Return what the log says of an event. Its name is `kind`, as every line has an `event` of its own."""
    ref = {"ref": event.ref} if isinstance(event, RefEvent) else {}
    return {"kind": event.name, "repository": event.repository, **ref}
