"""The data behind one click: pages of what is in an environment's database, and its tables as CSV and JSON.

They are Datasette's (https://datasette.io), which `dppctl up` has beside itself; here is asked who looks, and what it
answers is handed on without any of its scripts. Few of the threads take such requests, so that others are always free
for deliveries.
"""

import re
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Protocol
from urllib.parse import quote, unquote_plus

from flask import Response, g, redirect, request
from werkzeug.exceptions import BadGateway, Forbidden, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response as BaseResponse

from webhooks.limits import (
    DATA_ANSWER_SECONDS,
    DATA_CHUNK_BYTES,
    DATA_REQUESTS,
    DATA_WAIT_SECONDS,
    DATA_WAITING,
)
from webhooks.page_login import PageLogin

DATA_PATH = "/data/"
# No script of Datasette's runs, nor any that data might smuggle in; styles are its own, some of them within its pages.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HANDED_ON = ("Content-Type", "Content-Disposition", "Content-Length", "Link")
_UNSAFE = re.compile(rb"[^a-zA-Z0-9_-]")


@dataclass(frozen=True)
class DataServerAddress:
    """Where Datasette answers on this machine, and what it knows us by."""

    port: int
    token: str


class LocalData(Protocol):
    """What the environments of this machine have now."""

    @property
    def server(self) -> DataServerAddress:
        """Return where Datasette shows their databases."""

    def tables(self, app: str, environment: str) -> Sequence[str]:
        """Return the names of the tables and views in an environment's database."""

    def published_url(self, app: str, environment: str) -> str | None:
        """Return where what an environment publishes is shown; None: it publishes nothing."""


@dataclass(frozen=True)
class TableLink:
    """A table of an environment's database, and where it is shown."""

    name: str
    url: str
    csv_url: str
    json_url: str


class DataPages:
    """The views of data, and the links that lead there."""

    def __init__(
        self,
        login: PageLogin,
        is_registered: Callable[[str, str], bool],
        local: LocalData | None = None,
        release_of: Callable[[str, str], str | None] = lambda _app, _environment: None,
    ) -> None:
        """Show what `local` has of the registered environments (app, name); None: their data is elsewhere.

        `release_of` returns an environment's release of helm, where it has one.
        """
        self._login, self._is_registered, self._local = login, is_registered, local
        self.release_of = release_of
        self._places = threading.BoundedSemaphore(DATA_REQUESTS + DATA_WAITING)
        self._threads = threading.BoundedSemaphore(DATA_REQUESTS)

    def why_not(self) -> str | None:
        """Return why the visitor sees no rows, in a sentence; None: they do."""
        visitor = self._login.visitor()
        if self._local is None:
            return "rows are shown where dppctl up runs"
        if visitor.can_log_in:
            return "log in to see the rows"
        if not visitor.user:
            return "rows are shown on this machine, and to who has logged in"
        return None if visitor.can_read else f"{visitor.login} may not read here (scope read)"

    def state(self, app: str, environment: str) -> Hashable:
        """Return what an environment's page says of its data, as far as the store does not know it."""
        local = self._local
        known = (local.tables, local.published_url) if local else ()
        return self.why_not(), *(found(app, environment) for found in known)

    def url(self, app: str, environment: str) -> str | None:
        """Return where an environment's tables are shown to the visitor; None: nowhere."""
        if self._local is None or self.why_not() or not self._local.tables(app, environment):
            return None
        return _url(app, environment)

    def published_url(self, app: str, environment: str) -> str | None:
        """Return where what an environment publishes is shown; None: nothing, or it is not known here."""
        return self._local.published_url(app, environment) if self._local else None

    def tables(self, app: str, environment: str) -> list[TableLink]:
        """Return the tables of an environment's database, with links for a visitor who may follow them."""
        if self._local is None or self.why_not():
            return []
        found = []
        for name in self._local.tables(app, environment):
            url = f"{_url(app, environment)}/{tilde_encode(name)}"
            found.append(TableLink(name, url, f"{url}.csv?_stream=on&_size=max", f"{url}.json?_shape=array&_size=max"))
        return found

    def view(self, path: str = "") -> BaseResponse:
        """Answer `GET /data/…`. Raises HTTPException."""
        if not path:
            return redirect("/")
        if self._local is None:
            raise NotFound("there is no data here: dppctl up shows it")
        if reason := self.why_not():
            raise Forbidden(reason)
        if not path.startswith("-/static/"):
            self._check_registered(path)
        with ExitStack() as ends:  # the answer's end gives its thread back
            self._take_thread(ends)
            answer = self._ask(self._local.server, path, ends)
            return self._handed_on(answer, ends.pop_all())

    def _check_registered(self, path: str) -> None:
        name = unquote_plus(path.partition("/")[0].partition(".")[0].replace("~", "%"))
        app, _, environment = name.rpartition("/")
        if not self._is_registered(app, environment):
            raise NotFound("there is no such environment")

    def _take_thread(self, ends: ExitStack) -> None:
        if not self._places.acquire(blocking=False):
            raise _too_many()
        ends.callback(self._places.release)
        if not self._threads.acquire(timeout=DATA_WAIT_SECONDS):
            raise _too_many()
        ends.callback(self._threads.release)

    @staticmethod
    def _ask(server: DataServerAddress, path: str, ends: ExitStack) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DATA_ANSWER_SECONDS)
        ends.callback(connection.close)
        query = request.query_string.decode("latin-1")
        target = quote(DATA_PATH + path, safe="/~+.-_") + (f"?{query}" if query else "")
        headers = {"Host": request.host, "X-Dppctl-Data-Token": server.token}
        try:
            connection.request(request.method, target, headers=headers)
            return connection.getresponse()
        except (OSError, HTTPException, ValueError):
            raise BadGateway("the data cannot be shown now; try again in a moment") from None

    @staticmethod
    def _handed_on(answer: HTTPResponse, ends: ExitStack) -> Response:
        def pieces() -> Iterator[bytes]:
            with ends:
                while piece := answer.read1(DATA_CHUNK_BYTES):
                    yield piece

        response = Response(pieces(), answer.status)
        response.call_on_close(ends.close)  # also of who went away before the first piece
        for name in _HANDED_ON:
            if value := answer.headers.get(name):
                response.headers[name] = value
        location = answer.headers.get("Location", "")
        if location.startswith(DATA_PATH):
            response.headers["Location"] = location
        response.headers["Cache-Control"] = "no-store"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        g.content_policy = _POLICY
        return response


def tilde_encode(name: str) -> str:
    """Return a name as Datasette has it in a path: https://docs.datasette.io/en/stable/internals.html#tilde-encoding."""
    encoded = _UNSAFE.sub(lambda byte: b"+" if byte[0] == b" " else b"~%02X" % byte[0][0], name.encode())
    return encoded.decode()


def _url(app: str, environment: str) -> str:
    return f"{DATA_PATH}{tilde_encode(f'{app}/{environment}')}"


def _too_many() -> ServiceUnavailable:
    return ServiceUnavailable("many look at data at this moment; try again in a moment", retry_after=1)
