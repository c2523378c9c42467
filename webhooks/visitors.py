"""Who asks for a page: a person at this machine (DPPCTL_AUTH_MODE=none), or whoever has logged in (token, oauth).

What a visitor's forms carry against forgery (CSRF) comes with it: https://owasp.org/www-community/attacks/csrf
"""

import getpass
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from flask import Response, g, request

from bot.accounts import Accounts, AccountsAwayError, AccountsRefusedError
from bot.local_requests import is_loopback, why_not_local
from bot.logs import get_logger
from bot.model.account import SESSION_COOKIE, Permission
from bot.page_hosts import is_secure_place

# Endpoints that a token of `dppctl token create` may read, as scripts do; it never acts, and opens no page for people.
FOR_TOKENS = frozenset(
    {"openapi", "api_deployments", "api_deployment", "api_environments", "history", "history_csv", "feed", "badge"}
)
_FORM_COOKIE = "dppctl-form"
_FORM_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_SESSION = 512  # characters, also of a token; ours have 43

_log = get_logger("dppctl.webhooks")


class LoginAwayError(Exception):
    """Who somebody is, or may do, cannot be found out now."""


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page, and how they act."""

    user: str = ""  # PROVIDER:SUBJECT; "": not known
    login: str = ""  # for people
    csrf: str = field(default="", repr=False)  # what each of its forms carries
    session: str = field(default="", repr=False)  # what the auth server knows it by
    can_read: bool = True  # where the pages are for those who have logged in
    can_log_in: bool = False
    can_log_out: bool = False
    note: str = ""  # what the page says of acting, in a line for people
    is_away: bool = False  # it is not known, as the auth server does not answer


class Visitors(Protocol):
    """Knows who asks, and what they may do."""

    def identify(self) -> Visitor:
        """Return who asks for the page that is being answered."""

    def may_act(self, visitor: Visitor, app: str) -> Permission:
        """Return whether a known visitor may act on an app. Raises LoginAwayError."""

    def remember(self, answer: Response) -> None:
        """Add to a page with forms what they need."""


class LocalVisitors:
    """Whoever sits at this machine may act, and nobody else: there is no login."""

    def __init__(self, key: bytes, public_url: str = "") -> None:
        """Sign forms with `key`, the same in all processes.

        With a public address requests of others may come by a tunnel that looks like this machine: then nobody acts.
        """
        self._key, self._is_public = key, has_public_host(public_url)

    def identify(self) -> Visitor:
        """Return the person at this machine; of others, why they cannot act."""
        if self._is_public:
            note = "Read only: there is a public address and no login; DPPCTL_AUTH_MODE=token or oauth makes one"
            return Visitor(note=note)
        if reason := why_not_local(request.environ):
            return Visitor(note=f"Read only: acting works from this machine only, and {reason}")
        secret = request.cookies.get(_FORM_COOKIE, "")
        if not _FORM_SECRET.fullmatch(secret):
            secret = g.new_form_secret = secrets.token_urlsafe(32)
        name = _user_name()
        csrf = hmac.new(self._key, secret.encode(), hashlib.sha256).hexdigest()
        return Visitor(f"local:{name}", name, csrf, note="No login: acting works from this machine only")

    def may_act(self, visitor: Visitor, app: str) -> Permission:  # noqa: ARG002 (as its protocol)
        """Return that a person at this machine may do everything, as on its command line."""
        return Permission(bool(visitor.user), visitor.note)

    def remember(self, answer: Response) -> None:
        """Set the cookie that the page's forms belong to; a page from elsewhere cannot read it, nor sign another."""
        if secret := g.pop("new_form_secret", None):
            answer.set_cookie(_FORM_COOKIE, secret, httponly=True, samesite="Strict")


class LoginVisitors:
    """Those whose session the auth server knows."""

    def __init__(self, accounts: Accounts, public_url: str = "") -> None:
        """Ask `accounts`; where TLS ends in front of us, `public_url` says so."""
        self._accounts, self._public_url = accounts, public_url

    def identify(self) -> Visitor:
        """Return who has logged in; nobody, with why, without a session that holds."""
        if not is_secure_place(self._public_url or request.host_url):
            note = "Read only: no login over plain http, where others could read it; DPPCTL_PUBLIC_URL can be https"
            return Visitor(note=note)
        token = _token()
        session = request.cookies.get(SESSION_COOKIE, "") if token is None else token
        if not session or len(session) > _MAX_SESSION:
            return Visitor(can_log_in=True)
        try:
            account = self._accounts.identify(session)
        except (AccountsAwayError, AccountsRefusedError) as error:
            _log.error("who asks is not known", error=error)
            return Visitor(note="Read only: the login server does not answer; try again in a moment", is_away=True)
        is_session = bool(account and account.csrf)
        if account is None or is_session != (token is None):  # neither stands for the other
            return Visitor(can_log_in=True)
        login = account.login or account.user
        can_read = account.is_admin or "read" in account.scopes
        if not is_session:
            return Visitor(account.user, login, can_read=can_read)
        return Visitor(account.user, login, account.csrf, session, can_read, can_log_out=True)

    def may_act(self, visitor: Visitor, app: str) -> Permission:
        """Return whether the auth server lets a visitor deploy an app. Raises LoginAwayError."""
        try:
            return self._accounts.may_deploy(visitor.session, app)
        except (AccountsAwayError, AccountsRefusedError) as error:
            _log.error("what somebody may do is not known", user=visitor.user, app=app, error=error)
            raise LoginAwayError(str(error)) from None

    def remember(self, answer: Response) -> None:
        """Add nothing: the session's own cookie is enough."""


def _token() -> str | None:
    """Return the bearer token of a request that takes one; None: it has none."""
    given = request.authorization
    if request.endpoint not in FOR_TOKENS or given is None or given.type != "bearer":
        return None
    return given.token or ""


def has_public_host(public_url: str) -> bool:
    """Return whether an address is others' too. Requests that come by it may look as if they came from this machine."""
    public = urlsplit(public_url).hostname
    return bool(public) and not is_loopback(public or "")


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "user"
