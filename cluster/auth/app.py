"""Put the auth server together as one WSGI application. It is mounted at `/auth`; its routes do not say so."""

import logging
from collections.abc import Callable

from flask import Flask, Response, jsonify, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from bot.accounts import AccountsAwayError
from bot.logs import get_logger
from cluster.auth.api import AuthApi
from cluster.auth.device_codes import DeviceCodes
from cluster.auth.device_flow import DeviceFlow
from cluster.auth.device_page import DevicePage
from cluster.auth.limits import LOGIN_SECONDS, MAX_FORM_BYTES
from cluster.auth.login import LoginPages
from cluster.auth.options import AuthOptions
from cluster.auth.providers import ProviderLogin
from cluster.auth.service import AuthService
from cluster.auth.shortcut import INTROSPECT, IntrospectShortcut, is_away
from cluster.auth.web import Visits, secured

_log = get_logger("dppctl.auth")

_FOR_PROGRAMS = frozenset(
    {"introspect", "permissions", "list_tokens", "make_token", "revoke_token", "device_code", "device_token"}
)


def create_auth_app(options: AuthOptions, service: AuthService) -> Flask:
    """Return the application, whose routes have no prefix: `/login`, `/introspect` and so on."""
    for name in ("authlib", "requests_oauthlib"):  # at DEBUG it logs tokens and verifiers as they are
        logging.getLogger(name).setLevel(logging.INFO)
    app = Flask(__name__)
    app.secret_key = service.keys.login_secret()
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        # The cookie of a login that is under way, before there is a session.
        SESSION_COOKIE_NAME="__Host-dppctl-login",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LOGIN_SECONDS,
    )
    visits = Visits(options, service)
    elsewhere = ProviderLogin(app, service, visits)
    codes = DeviceCodes(service)
    flow, device = DeviceFlow(app, service, visits, codes), DevicePage(service, visits, codes)
    api, login = AuthApi(options, service), LoginPages(options, service, visits)
    app.before_request(lambda: None if _is_for_programs() else visits.check_host())
    app.after_request(secured)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(AccountsAwayError, lambda error: _refuse(is_away(error)))
    app.register_error_handler(SQLAlchemyError, _database_is_away)
    app.context_processor(lambda: {"csrf": visits.csrf, "visitor": visits.visitor})
    views: list[tuple[str, str, Callable[..., object], str]] = [
        ("/login", "login", login.login, "GET"),
        ("/login/token", "login_by_token", login.login_by_token, "POST"),
        ("/login/<name>", "provider_login", elsewhere.begin, "GET"),
        ("/callback/<name>", "provider_callback", elsewhere.finish, "GET"),
        ("/logout", "logout", login.logout, "POST"),
        ("/device/code", "device_code", flow.begin, "POST"),
        ("/token", "device_token", flow.token, "POST"),
        ("/device", "device", device.ask, "GET"),
        ("/device", "device_answer", device.answer, "POST"),
        (INTROSPECT, "introspect", api.introspect_view, "POST"),
        ("/permissions", "permissions", api.permissions, "POST"),
        ("/tokens", "list_tokens", api.list_tokens, "GET"),
        ("/tokens", "make_token", api.make_token, "POST"),
        ("/tokens/<identity>", "revoke_token", api.revoke_token, "DELETE"),
    ]
    for path, name, view, method in views:
        app.add_url_rule(path, name, view, methods=[method], provide_automatic_options=False)  # type: ignore[arg-type]
    # https://flask.palletsprojects.com/en/stable/quickstart/#hooking-in-wsgi-middleware
    app.wsgi_app = IntrospectShortcut(api, app.wsgi_app).respond  # type: ignore[method-assign]
    return app


def _is_for_programs() -> bool:
    """Return whether no browser asks this: then it is a bearer token that counts, and no host name."""
    return request.endpoint in _FOR_PROGRAMS or request.endpoint == "static"


def _refuse(error: HTTPException) -> tuple[Response | str, int, dict[str, str]]:
    """Answer programs in JSON, and people with a page; the headers are the error's own, such as Retry-After."""
    code = error.code or 500
    headers = {name: value for name, value in error.get_headers(request.environ) if not name.startswith("Content-")}
    if _is_for_programs() or request.endpoint is None:
        return jsonify(error=error.description), code, headers
    return render_template("problem.html", code=code, problem=error.description), code, headers


def _database_is_away(error: SQLAlchemyError) -> tuple[Response | str, int, dict[str, str]]:
    _log.error("the database does not answer", error=type(error).__name__)
    return _refuse(ServiceUnavailable("the auth server's database does not answer; try again later", retry_after=5))
