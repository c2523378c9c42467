"""Answer whose a token is in front of Flask: what Flask does for a request takes longer than the answer.

docs/benchmarks.md has the measure. The view in the application's table answers the same, and is what answers everything
here that is not a POST.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, ServiceUnavailable

from bot.accounts import AccountsAwayError
from cluster.auth.api import AuthApi
from cluster.auth.limits import AWAY_SECONDS
from cluster.auth.web import HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

INTROSPECT = "/introspect"
_KEPT = ("Retry-After", "WWW-Authenticate")  # headers of a refusal


class IntrospectShortcut:
    """A WSGI application, `respond`, in front of another one."""

    def __init__(self, api: AuthApi, application: "WSGIApplication") -> None:
        """Hand questions of servers to `api`, and everything else to `application`."""
        self._api, self._application = api, application

    def respond(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request: https://peps.python.org/pep-3333/."""
        if environ["PATH_INFO"] != INTROSPECT or environ["REQUEST_METHOD"] != "POST":
            return self._application(environ, start_response)
        headers, code = dict(HEADERS), 200
        try:
            answer = self._api.introspect(environ)
        except (HTTPException, AccountsAwayError) as error:
            refusal = error if isinstance(error, HTTPException) else is_away(error)
            answer, code = {"error": refusal.description}, refusal.code or 500
            headers |= {name: value for name, value in refusal.get_headers(environ) if name in _KEPT}
        body = json.dumps(answer).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        start_response(f"{code} {HTTPStatus(code).phrase}", list(headers.items()))
        return [body]


def is_away(error: AccountsAwayError) -> ServiceUnavailable:
    """Return what is answered while the database, or GitHub, is away."""
    return ServiceUnavailable(str(error), retry_after=AWAY_SECONDS)
