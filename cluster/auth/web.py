"""What all of the auth server's pages share: who is logged in, what protects forms, headers, where a login leads."""

import hmac
import re
import secrets
from urllib.parse import urlsplit

from flask import Response, g, redirect, request, session
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Response as BaseResponse

from bot.model.account import SESSION_COOKIE
from bot.page_hosts import is_page_host, is_secure_place
from cluster.auth.limits import MAX_NEXT, SESSION_SECONDS
from cluster.auth.options import AuthOptions
from cluster.auth.service import AuthService, FoundAccount

# Nothing from elsewhere, nothing inline, no frames; forms go here alone, and nothing but a link leads to a provider.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


class Visits:
    """Requests of browsers."""

    def __init__(self, options: AuthOptions, service: AuthService) -> None:
        """Know browsers by the service's sessions."""
        self._options, self._service = options, service

    def base_url(self) -> str:
        """Return where people reach all of dppctl: the public address, or where this request went."""
        return self._options.public_url or request.host_url.rstrip("/")

    def check_host(self) -> None:
        """Refuse a page for a host name that is not ours. Raises Forbidden."""
        public = urlsplit(self._options.public_url).hostname
        if not is_page_host(request.host, [*self._options.hosts, *([public] if public else [])]):
            raise Forbidden(f"{request.host} is not known here; DPPCTL_ALLOWED_HOSTS or DPPCTL_PUBLIC_URL can name it")

    def check_secure(self) -> None:
        """Refuse a login where browsers would not keep its cookie, or others could read it. Raises BadRequest."""
        if not is_secure_place(url := self.base_url()):
            raise BadRequest(f"there is no login at {url}: it is not encrypted; let DPPCTL_PUBLIC_URL be https")

    def visitor(self) -> FoundAccount | None:
        """Return who is logged in; None: nobody. Raises AccountsAwayError."""
        if "visitor" not in g:
            found = self._service.find(request.cookies.get(SESSION_COOKIE, ""))
            g.visitor = found if found and found.is_session else None
        visitor: FoundAccount | None = g.visitor
        return visitor

    def csrf(self) -> str:
        """Return what a form has to carry: the session's, or before a login one of the browser's own."""
        if visitor := self.visitor():
            return visitor.account.csrf
        session.permanent = True  # so that its time begins anew with each page
        if "csrf" not in session:
            session["csrf"] = secrets.token_urlsafe(32)
        mark: str = session["csrf"]
        return mark

    def check_csrf(self) -> None:
        """Refuse a form that is not from a page of this browser's. Raises Forbidden."""
        visitor = self.visitor()
        expected = visitor.account.csrf if visitor else session.get("csrf", "")
        given = request.form.get("csrf", "")
        if not expected or not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
            raise Forbidden("this form is not from a page of your session, or that has ended; load the page again")

    def begin(self, token: str, following: str) -> BaseResponse:
        """Return what lets a browser in with a new session, in place of what it had, and leads it on."""
        if old := request.cookies.get(SESSION_COOKIE):
            self._service.log_out(old)
        session.clear()
        answer = redirect(local_path(following), 303)
        answer.set_cookie(
            SESSION_COOKIE, token, max_age=SESSION_SECONDS, path="/", secure=True, httponly=True, samesite="Lax"
        )
        return answer

    def end(self) -> BaseResponse:
        """Return what ends a browser's session."""
        self._service.log_out(request.cookies.get(SESSION_COOKIE, ""))
        session.clear()
        answer = redirect("/", 303)
        answer.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return answer


def local_path(given: str | None) -> str:
    """Return a path of this host that a login may lead to; what is none becomes `/`.

    Browsers take a backslash for a slash, and leave out control characters: `/\\host` leads elsewhere as `//host` does.
    """
    fits = given is not None and len(given) <= MAX_NEXT and _LOCAL.fullmatch(given)
    return given if fits and given else "/"


def secured(answer: Response) -> Response:
    """Return an answer with the headers that all have."""
    answer.headers.update(HEADERS)
    return answer
