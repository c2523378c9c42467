"""The usage server as a WSGI application, mounted at `/usage`: for servers with a token, and a page for people."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from bot.accounts import Accounts
from bot.logs import get_logger
from cluster.limits import MAX_USAGE_BYTES, PROXY_RETRY_SECONDS
from cluster.usage.answers import BadUsageRequestError, answer_report, json_answer
from cluster.usage.limit_rules import BannedError, LimitReachedError
from cluster.usage.metrics import UsageMetrics
from cluster.usage.page import UsagePage
from cluster.usage.reservations import Grant, WantedRun
from cluster.usage.service import UsageService
from cluster.usage.shapes import (
    AllowanceAnswer,
    EventBatch,
    LimitProblem,
    ReservationAnswer,
    ReservationRequest,
)

_log = get_logger("dppctl.usage")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class UsageOptions:
    """`token`: what other servers show, "": none is answered; `mode`: of the auth server (`none`: see UsagePage)."""

    token: str
    mode: str = "none"
    has_page: bool = True  # False: not even for this machine, as others' requests may look like its own


def create_usage_app(
    options: UsageOptions,
    service: UsageService,
    accounts: Accounts | None = None,
    metrics: UsageMetrics | None = None,
    refresh: Callable[[], bool] = lambda: False,
) -> Flask:
    """Return the application, whose routes are those below `/usage`.

    `accounts`: who is who on the page. `refresh` looks which runs have ended, and tells whether it released one's
    reservation.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_USAGE_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    routes = _Routes(options, service, metrics or UsageMetrics(service), refresh)
    page = UsagePage(options.mode, service, accounts)
    views: list[tuple[str, str, Callable[..., object]]] = [
        ("POST", "/reservations", routes.reserve),
        ("DELETE", "/reservations/<reservation>", routes.release),
        ("POST", "/events", routes.record),
        ("GET", "/limits", routes.limits),
        ("GET", "/report", routes.report),
    ]
    if options.has_page:
        views += [("GET", "/", page.show), ("GET", "/report.csv", page.export), ("GET", "/report.json", page.export)]
    for method, path, view in views:
        name = f"{method} {path}".replace(".", " ")
        app.add_url_rule(path, name, view, methods=[method], provide_automatic_options=False)  # type: ignore[arg-type]
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SQLAlchemyError, _database_is_away)

    @app.after_request
    def secure(answer: Response) -> Response:
        answer.headers.update(_HEADERS)
        return answer

    return app


class _Routes:
    """What other servers ask."""

    def __init__(
        self, options: UsageOptions, service: UsageService, metrics: UsageMetrics, refresh: Callable[[], bool]
    ) -> None:
        self._options, self._service, self._metrics = options, service, metrics
        self._refresh = refresh

    def reserve(self) -> Response:
        """Make a reservation for a run that is to be created: 201, or 429 or 402 with the limit, or 403."""
        asked = self._read(ReservationRequest)
        try:
            grant = self._reserve(
                WantedRun(
                    asked.run,
                    asked.user,
                    asked.groups,
                    asked.ip,
                    asked.database,
                    asked.timeout_seconds,
                    asked.workload_bytes,
                    asked.publishes,
                )
            )
        except BannedError as error:
            self._metrics.count_refusal("banned")
            return json_answer(LimitProblem(error=str(error), code="banned", hint="ask whoever runs this cluster"), 403)
        except LimitReachedError as error:
            self._metrics.count_refusal(error.name)
            _log.info("limit reached", limit=error.name, user=asked.user, used=error.used, allowed=error.allowed)
            hint = "wait, or ask whoever runs this cluster for more" if error.is_spent else "wait for runs to end"
            problem = LimitProblem(
                error=str(error),
                code="limit",
                limit=error.name,
                used=error.used,
                allowed=error.allowed,
                resets_at=error.resets,
                hint=hint,
            )
            return json_answer(problem, 402 if error.is_spent else 429)
        return json_answer(ReservationAnswer.model_validate(grant, from_attributes=True), 201)

    def _reserve(self, asked: WantedRun) -> Grant:
        """Make a reservation, maybe that of a run which has just ended. Raises LimitReachedError and BannedError."""
        try:
            return self._service.reservations.reserve(asked)
        except LimitReachedError as error:
            if error.is_spent or not self._refresh():
                raise
        return self._service.reservations.reserve(asked)

    def release(self, reservation: str) -> Response:
        """Release a reservation: 204, also when there is none any more."""
        self._check()
        self._service.reservations.release(reservation)
        return Response(status=204)

    def record(self) -> Response:
        """Write events down: 204."""
        batch = self._read(EventBatch)
        self._service.events.record(batch.events)
        self._metrics.count_events(len(batch.events))
        return Response(status=204)

    def limits(self) -> Response:
        """Answer with what the proxy keeps somebody to."""
        self._check()
        self._service.limits.read_again()
        found = self._service.allowance(*_whom())
        return json_answer(AllowanceAnswer.model_validate(found, from_attributes=True), 200)

    def report(self) -> Response:
        """Answer with what somebody used, or all when no `user` is named; `what=events`: with what was done."""
        self._check()
        user, groups, _ = _whom()
        return answer_report(self._service, user or None, groups, request.args.get("format", "json"))

    def _read(self, model: type[ModelT]) -> ModelT:
        self._check()
        try:
            return model.model_validate_json(request.get_data())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise BadUsageRequestError(f"{where}: {first['msg']}") from None

    def _check(self) -> None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        known = self._options.token
        right = bool(known) and hmac.compare_digest(given.strip().encode(), known.encode())
        if kind.lower() != "bearer" or not right:
            raise WrongUsageTokenError("this is for dppctl's servers; it wants the token of DPPCTL_USAGE_TOKEN_FILE")


class WrongUsageTokenError(HTTPException):
    """Who asks is none of the servers."""

    code = 401


def _whom() -> tuple[str, list[str], str]:
    return request.args.get("user", ""), request.args.getlist("group"), request.args.get("ip", "")


def _refuse(error: HTTPException) -> Response:
    """Answer a refusal in one line of JSON, with a word for programs."""
    answer = jsonify(error=error.description, code="invalid" if error.code == 400 else "refused", hint="")
    answer.status_code = error.code or 500
    if isinstance(error, WrongUsageTokenError):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="dppctl usage"'
    return answer


def _database_is_away(error: SQLAlchemyError) -> Response:
    _log.error("database does not answer", error=type(error).__name__)
    answer = jsonify(error="the usage server's database does not answer", code="database-away", hint="")
    answer.status_code = 503
    answer.headers["Retry-After"] = str(PROXY_RETRY_SECONDS)
    return answer
