"""What is answered when something is not there, not allowed or broken: a page for people, JSON for programs."""

from flask import Flask, Response, current_app, g, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, Unauthorized
from werkzeug.wrappers import Response as BaseResponse

from bot.logs import get_logger
from webhooks import receive
from webhooks.receive import STORE_IS_AWAY
from webhooks.refusals import RefusedAct
from webhooks.visitors import Visitor

FOR_PROGRAMS = ("receive", "report", "healthz", "readyz", "metrics")  # endpoints that no person opens
_JSON, _HTML = "application/json", "text/html"
_TITLES = {
    400: "This address cannot be understood",
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not here",
    500: "Something broke here",
    503: "Not now",
}
_ADVICE = {
    401: "Log in, then open the page again.",
    403: "Ask who runs this dppctl, if you should see it.",
    404: "It may never have been there, or it is not kept any more. The start shows what is.",
    500: "Try again in a moment. The receiver's log says more: look there for the time of now.",
    503: "Try again in a moment.",
}

_log = get_logger("dppctl.webhooks")


def add_problem_pages(app: Flask) -> None:
    """Have the application answer its errors."""
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SQLAlchemyError, _store_is_away)


def _refuse(error: HTTPException) -> BaseResponse:
    if isinstance(error, RefusedAct):
        return error.page()
    wrong_method = isinstance(error, MethodNotAllowed)
    is_delivery = wrong_method and request.path == receive.PATH
    answer = _answer(error.code or 500, "deliveries are POSTed" if is_delivery else error.description or "")
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(error.valid_methods or ())
    if isinstance(error, Unauthorized) and error.www_authenticate:
        answer.headers["WWW-Authenticate"] = ", ".join(map(str, error.www_authenticate))
    retry = getattr(error, "retry_after", None)
    if isinstance(retry, int):
        answer.headers["Retry-After"] = str(retry)
    return answer


def _store_is_away(error: SQLAlchemyError) -> BaseResponse:
    _log.error("store does not answer", error=type(error).__name__)
    return _answer(503, STORE_IS_AWAY)


def _answer(code: int, message: str) -> BaseResponse:
    if not is_for_people():
        answer = jsonify(error=message)
        answer.status_code = code
        return answer
    # Not by render_template, which would ask once more who looks: that may be what is broken.
    text = current_app.jinja_env.get_template("problem.html").render(
        visitor=g.get("visitor") or Visitor(), code=code, title=_TITLES.get(code, "Not done"), message=message,
        advice=_ADVICE.get(code, ""),
    )  # fmt: skip
    return Response(text, code, content_type="text/html; charset=utf-8")


def is_for_people() -> bool:
    """Return whether a browser asks for a page; what takes anything (curl, scripts) gets JSON."""
    if request.endpoint in FOR_PROGRAMS or request.path.startswith(("/api/", "/events", "/sync/", receive.PATH)):
        return False
    return request.accept_mimetypes.best_match([_JSON, _HTML]) == _HTML
