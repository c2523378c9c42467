"""The page on which a person lets a device in: the code is typed, who asks is shown, and then the person decides."""

from urllib.parse import quote

from flask import redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from bot.logs import get_logger
from bot.model.account import SESSION_COOKIE
from cluster.auth.device_codes import DeviceCodes
from cluster.auth.limits import MAX_NAME, WRONG_CODES, WRONG_CODES_SECONDS
from cluster.auth.service import AuthService, FoundAccount
from cluster.auth.tokens import split_scopes
from cluster.auth.tries import count_failure, has_failed_often
from cluster.auth.web import Visits
from cluster.proxy.tokens import hash_of

_log = get_logger("dppctl.auth")


class DevicePage:
    """The views of `/device`."""

    def __init__(self, service: AuthService, visits: Visits, codes: DeviceCodes) -> None:
        """Let devices in for who is logged in."""
        self._service, self._visits, self._codes = service, visits, codes

    def ask(self) -> Response | str:
        """Return `GET /device`: where the code is typed. One in the address is filled in, and approves nothing."""
        self._visits.check_secure()
        given = request.args.get("user_code", "")[:MAX_NAME]
        if self._visitor() is None:
            following = f"/auth/device?user_code={quote(given, safe='')}" if given else "/auth/device"
            return redirect(url_for("login", next=following), 303)
        return render_template("device.html", user_code=given)

    def answer(self) -> Response | tuple[str, int]:
        """Answer `POST /device`: who asks, for a code that was typed; then the end, for a decision."""
        self._visits.check_secure()
        self._visits.check_csrf()
        if (visitor := self._visitor()) is None:
            return redirect(url_for("login", next="/auth/device"), 303)
        user_code, decision = request.form.get("user_code", ""), request.form.get("decision", "")
        self._check_tries()
        if decision not in ("allow", "deny"):
            return self._confirm(user_code, visitor)
        code = self._codes.answer(user_code, visitor, allow=decision == "allow")
        if code is None:
            return self._wrong(user_code)
        _log.info(
            "a device is answered", user=visitor.account.user, name=code.name, address=code.address, answer=decision
        )
        return render_template("device_done.html", name=code.name, allowed=decision == "allow"), 200

    def _confirm(self, user_code: str, visitor: FoundAccount) -> tuple[str, int]:
        if (code := self._codes.find_waiting(user_code)) is None:
            return self._wrong(user_code)
        asked = split_scopes(code.scopes)
        seconds = max(0, int((self._service.clock() - code.created).total_seconds()))
        text = render_template(
            "device_confirm.html",
            code=code,
            user_code=user_code,
            ago=f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes",
            given=[scope for scope in code.scopes.split() if scope in visitor.account.scopes],
            withheld=sorted(asked - visitor.account.scopes),
        )
        return text, 200

    def _wrong(self, user_code: str) -> tuple[str, int]:
        """Count a wrong code, and say so."""
        with self._service.database.write() as session:
            count_failure(session, self._keys(), self._service.clock())
        problem = "No machine waits with this code: it is another one, or ten minutes are over, or it was answered."
        return render_template("device.html", user_code=user_code[:MAX_NAME], problem=problem), 400

    def _check_tries(self) -> None:
        """Refuse who typed many wrong codes. Raises TooManyRequests."""
        with self._service.database.read() as session:
            if has_failed_often(session, self._keys(), WRONG_CODES, WRONG_CODES_SECONDS, self._service.clock()):
                raise TooManyRequests("too many wrong codes; wait a minute", retry_after=WRONG_CODES_SECONDS)

    def _keys(self) -> list[str]:
        return [f"device {request.remote_addr}", f"device {hash_of(request.cookies.get(SESSION_COOKIE, ''))}"]

    def _visitor(self) -> FoundAccount | None:
        if self._service.options.mode == "none":
            raise NotFound("there is no login here; DPPCTL_AUTH_MODE is none")
        return self._visits.visitor()
