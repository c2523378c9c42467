"""The pages of a login, and its end."""

from flask import render_template, request
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from bot.logs import get_logger
from cluster.auth.limits import WRONG_LOGINS, WRONG_LOGINS_SECONDS
from cluster.auth.options import AuthOptions
from cluster.auth.service import AuthService
from cluster.auth.tries import count_failure, has_failed_often
from cluster.auth.web import Visits, local_path

_log = get_logger("dppctl.auth")


class LoginPages:
    """The views of a login with a token, and of the page where people choose how they log in."""

    def __init__(self, options: AuthOptions, service: AuthService, visits: Visits) -> None:
        """Let people in as the options say."""
        self._options, self._service, self._visits = options, service, visits

    def login(self) -> str:
        """Return `GET /login`: the ways to log in, or who is logged in already."""
        self._visits.check_secure()
        return self._page(local_path(request.args.get("next")))

    def login_by_token(self) -> Response | tuple[str, int]:
        """Answer `POST /login/token`: let somebody in who has a token."""
        if self._options.mode != "token":
            raise NotFound("people do not log in with a token here; DPPCTL_AUTH_MODE says how")
        self._visits.check_secure()
        self._visits.check_csrf()
        following = local_path(request.form.get("next"))
        if (token := self._service.log_in_by_token(request.form.get("token", "").strip())) is None:
            self._count_wrong()
            return self._page(following, "This token is not known here, or not any more."), 403
        account = self._service.identify(token)
        _log.info("logged in by a token", user=account.user if account else "", address=request.remote_addr)
        return self._visits.begin(token, following)

    def logout(self) -> Response:
        """Answer `POST /logout`: end the session."""
        self._visits.check_csrf()
        return self._visits.end()

    def _count_wrong(self) -> None:
        """Count a wrong token. Raises TooManyRequests after many; a right one is taken all the same.

        Behind a proxy all people have one address, so that somebody who guesses would lock out everybody.
        """
        keys, now = [f"login {request.remote_addr}"], self._service.clock()
        with self._service.database.write() as session:
            if has_failed_often(session, keys, WRONG_LOGINS, WRONG_LOGINS_SECONDS, now):
                text = f"too many wrong tokens from {request.remote_addr}; wait a minute"
                raise TooManyRequests(text, retry_after=WRONG_LOGINS_SECONDS)
            count_failure(session, keys, now)
        _log.warning("wrong token at a login", address=request.remote_addr)

    def _page(self, following: str, problem: str = "") -> str:
        return render_template(
            "login.html",
            mode=self._options.mode,
            providers=self._options.providers,
            following=following,
            problem=problem,
        )
