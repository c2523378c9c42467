"""Answer deliveries in front of Flask: what Flask does for a request (contexts, signals) costs half a delivery's time.

docs/benchmarks.md has the measure with and without. The view in the application's table answers the same, and is what
answers everything here that is not a POST of a delivery.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException

from webhooks.payload import JSON_TYPE
from webhooks.receive import PATH, DeliveryReceiver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Shortcut:
    """A WSGI application, `respond`, in front of another one."""

    def __init__(self, receiver: DeliveryReceiver, application: "WSGIApplication") -> None:
        """Hand deliveries to `receiver`, and everything else to `application`."""
        self._receiver = receiver
        self._application = application

    def respond(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request: https://peps.python.org/pep-3333/."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._application(environ, start_response)
        answer: dict[str, str]
        try:
            answer, code = self._receiver.receive(environ)
        except HTTPException as error:
            answer, code = {"error": error.description or ""}, error.code or 500
        body = json.dumps(answer).encode()
        headers = {"Content-Type": JSON_TYPE, "Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff"}
        start_response(f"{code} {HTTPStatus(code).phrase}", list(headers.items()))
        return [body]
