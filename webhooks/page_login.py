"""What each page shows of who looks at it, and what its forms carry; with DPPCTL_PAGES=login nobody else reads it."""

from typing import cast
from urllib.parse import urlencode

from flask import Flask, Response, g, redirect, request
from markupsafe import Markup
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, ServiceUnavailable, Unauthorized
from werkzeug.wrappers import Response as BaseResponse

from webhooks.problems import is_for_people
from webhooks.visitors import FOR_TOKENS, Visitor, Visitors

CSRF_FIELD = "csrf"
LOGIN_PATH = "/auth/login"  # the auth server's
_WANTED = "a token that holds is wanted (Authorization: Bearer …); `dppctl token create NAME --scope read` makes one"
_WITHOUT_LOGIN = ("receive", "report", "healthz", "readyz", "metrics", "static", None)
# Nothing from elsewhere, nothing inline: what a payload or a log smuggles onto a page stays text.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Elsewhere nobody hears which page led there; our own hear it, for without it browsers send no Origin with a form.
    "Referrer-Policy": "same-origin",
}
_CONTENT = "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action "


class PageLogin:
    """Puts the visitor on the pages of an application."""

    def __init__(self, visitors: Visitors, *, only_known: bool) -> None:
        """`only_known`: the pages are for those who have logged in."""
        self._visitors = visitors
        self._only_known = only_known

    def add_to(self, app: Flask) -> None:
        """Give the templates `visitor`, `form_token()` and `login_url()`, and all answers their headers."""
        app.jinja_env.globals.update(form_token=self._form_token, login_url=_login_url)
        app.context_processor(lambda: {"visitor": self.visitor()})
        app.before_request(self._check_known)
        app.after_request(self._secure)

    def visitor(self) -> Visitor:
        """Return who asks; found out once a request."""
        if "visitor" not in g:
            g.visitor = self._visitors.identify()
        return cast(Visitor, g.visitor)

    def _form_token(self) -> Markup:
        """Return the field against forgery, which makes this a page with a form."""
        g.has_form = True
        return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, self.visitor().csrf)

    def _check_known(self) -> BaseResponse | None:
        """Send those who have not logged in to the login. Raises HTTPException."""
        if not self._only_known or request.endpoint in _WITHOUT_LOGIN:
            return None
        visitor = self.visitor()
        if visitor.is_away:
            raise ServiceUnavailable(visitor.note)
        if not visitor.user and not visitor.can_log_in:
            raise Forbidden(visitor.note)
        if not visitor.user and request.endpoint in FOR_TOKENS and not is_for_people():
            raise Unauthorized(_WANTED, www_authenticate=WWWAuthenticate("bearer"))
        if not visitor.user:
            if request.method != "GET" or request.path.startswith(("/events", "/api/")):
                raise Unauthorized("log in first")
            return redirect(_login_url(), 303)
        if not visitor.can_read:
            raise Forbidden(f"{visitor.login} may not read here (scope read)")
        return None

    def _secure(self, answer: Response) -> Response:
        answer.headers.update(_HEADERS)
        has_form = g.get("has_form", False)
        sends = "'self'" if has_form or g.get("has_filters") else "'none'"
        policy = g.get("content_policy") or _CONTENT + sends  # of a page that has its own
        answer.headers["Content-Security-Policy"] = policy
        if has_form:
            answer.headers["Cache-Control"] = "no-store"
            self._visitors.remember(answer)
        return answer


def _login_url() -> str:
    """Return the address of the login, which leads back to this page."""
    page = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return f"{LOGIN_PATH}?{urlencode({'next': page})}"
