"""The page of use, for people: their own, of all for who may see all. It is HTML and SVG, and needs no JavaScript."""

from datetime import UTC, datetime
from urllib.parse import quote

from flask import redirect, render_template, request
from werkzeug.exceptions import Forbidden, ServiceUnavailable
from werkzeug.wrappers import Response

from bot.accounts import Accounts, AccountsAwayError, AccountsRefusedError
from bot.local_requests import why_not_local
from bot.model.account import SESSION_COOKIE, Account
from cluster.usage.answers import answer_report, asked_since
from cluster.usage.charts import HEIGHT, WIDTH, make_charts
from cluster.usage.report import make_report
from cluster.usage.service import UsageService

_SPANS = ("1d", "7d", "30d", "60d")
_SHOWN = 100  # runs on the page; the exports have all
# Whoever is on this machine, where nobody logs in.
_LOCAL = Account(user="local:", login="this machine", scopes=frozenset({"read", "admin"}))


class UsagePage:
    """`GET /usage/` and its exports."""

    def __init__(self, mode: str, service: UsageService, accounts: Accounts | None) -> None:
        """`mode`: of the auth server; with `none` the page is for this machine alone."""
        self._mode, self._service, self._accounts = mode, service, accounts

    def show(self) -> Response | str:
        """Show what was used; who is not logged in is led to the login."""
        if (account := self._account()) is None:
            return self._to_login()
        user, since, now = _whose(account), asked_since(), datetime.now(UTC)
        report = make_report(self._service, user, sorted(account.groups) if user == account.user else [], since)
        return render_template(
            "usage.html",
            report=report,
            account=account,
            mode=self._mode,
            charts=make_charts(report.runs, since, now),
            width=WIDTH,
            height=HEIGHT,
            shown=_SHOWN,
            spans=_SPANS,
            span=request.args.get("since", "7d"),
            base=request.script_root,
            query=_query(user),
        )

    def export(self) -> Response:
        """Answer with the same as CSV or JSON."""
        if (account := self._account()) is None:
            return self._to_login()
        user = _whose(account)
        groups = sorted(account.groups) if user == account.user else []
        return answer_report(self._service, user, groups, request.path.rpartition(".")[2])

    def _account(self) -> Account | None:
        """Return who looks; None: nobody who is logged in. Raises Forbidden, and ServiceUnavailable."""
        if self._mode == "none" or self._accounts is None:
            if reason := why_not_local(request.environ):
                what = "this page is for this machine alone, as no login is set up (DPPCTL_AUTH_MODE)"
                raise Forbidden(f"{what}: {reason}")
            return _LOCAL
        if not (session := request.cookies.get(SESSION_COOKIE)):
            return None
        try:
            found = self._accounts.identify(session)
        except (AccountsAwayError, AccountsRefusedError):
            raise ServiceUnavailable("the auth server does not answer; try again in a moment") from None
        return found if found and found.csrf and "read" in found.scopes else None  # a token is no session

    def _to_login(self) -> Response:
        return redirect(f"/auth/login?next={quote(request.script_root + '/')}", 303)


def _whose(account: Account) -> str | None:
    """Return whose use is asked for; None: everybody's, which is for those who may see it."""
    asked = request.args.get("user", "" if account.is_admin else account.user)
    if asked != account.user and not account.is_admin:
        raise Forbidden("this is somebody else's; who has the scope admin sees it")
    return asked or None


def _query(user: str | None) -> str:
    return f"&user={quote(user)}" if user else ""
