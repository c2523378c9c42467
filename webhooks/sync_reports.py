"""Take sync's reports on how far deployments are: each is recorded before it is answered."""

import hmac
from collections.abc import Set

from flask import Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, Conflict, Unauthorized

from bot.limits import MAX_REPORT_BYTES
from bot.logs import get_logger
from bot.model.registration import Target, registered_for
from bot.model.reports import SyncEvent
from bot.settings import Settings
from bot.store.store import Store
from webhooks.bot_waker import wake_bot

_log = get_logger("dppctl.webhooks")


class SyncReports:
    """Checks sync's reports and records them."""

    def __init__(self, settings: Settings, targets: Set[Target], store: Store) -> None:
        """Record reports about `targets` in `store`, unless the settings say that sync is not the one who deploys."""
        self._targets = targets
        self._bearer = f"Bearer {settings.sync.token.get_secret_value()}".encode()
        self._store = store
        self._is_on = settings.deployed_by == "sync"

    def view(self) -> tuple[Response, int]:
        """Answer `POST /sync/events` with 202. Raises HTTPException for what is refused."""
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._bearer):
            raise Unauthorized("the bearer token is not sync's")
        if not self._is_on:
            raise Conflict("deployments end by commit statuses here (DPPCTL_DEPLOYED_BY), not by sync's reports")
        request.max_content_length = MAX_REPORT_BYTES  # whatever a delivery's limit is
        try:
            event = SyncEvent.model_validate_json(request.get_data())
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or "the body"
            raise BadRequest(f"{where}: {problem['msg']}") from None
        if not registered_for(event.app, event.environment, self._targets):
            raise BadRequest(f"apps.yaml does not register {event.app} for {event.environment}")
        deployment = self._store.deployments.report(event)
        if event.phase in ("succeeded", "failed"):
            wake_bot()  # another environment may wait for it
            self._log_end(event, deployment)
        return jsonify(outcome="accepted", deployment=deployment), 202

    def _log_end(self, event: SyncEvent, number: int) -> None:
        """Log how a deployment ended, and what came out of it."""
        found = self._store.deployments.get(number)
        data = {"data": found.summary} if found and found.summary else {}
        _log.info(event.phase, app=event.app, environment=event.environment, deployment=number, **data)
