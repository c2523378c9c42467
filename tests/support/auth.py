"""The auth server in a test: its application as a browser or a program meets it, and a clock that can be moved."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from bot.database import Database
from bot.model.account import SESSION_COOKIE, Scope
from cluster.auth.app import create_auth_app
from cluster.auth.options import AuthOptions
from cluster.auth.people import ProvenIdentity
from cluster.auth.service import AuthService
from cluster.auth.tables import AUTH_SCHEMA
from cluster.proxy.tokens import make_token, write_tokens

PUBLIC = "https://dppctl.example.org"
SERVICE = "service-token"
START = datetime(2026, 1, 1, tzinfo=UTC)
ANN = ProvenIdentity("github:583231", "OriHoch", frozenset({"org:hasadna"}))
BEN = ProvenIdentity("github:7", "ben")


class AuthWorld:
    """An auth server with a database of its own."""

    def __init__(self, folder: Path, database_url: str = "", **options: Any) -> None:
        self.now = START
        self.address = "127.0.0.1"  # where requests come from
        self.tokens_file = folder / "tokens.json"
        self.tokens: dict[str, str] = {}
        write_tokens(self.tokens_file, [])
        given = {
            "mode": "token", "key": b"a key", "public_url": PUBLIC, "service_token": SERVICE,
            "hosts": ("localhost", "127.0.0.1"), "tokens_file": self.tokens_file, **options,
        }  # fmt: skip
        self.options = AuthOptions(**given)
        database = Database(database_url or _new_database(folder), AUTH_SCHEMA)
        self.service = AuthService(self.options, database, lambda: self.now)
        self.app: Flask = create_auth_app(self.options, self.service)

    def with_options(self, **changes: Any) -> None:
        """The same database, after a restart with other options."""
        self.options = replace(self.options, **changes)
        self.service = AuthService(self.options, self.service.database, lambda: self.now)
        self.app = create_auth_app(self.options, self.service)

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def file_token(self, name: str, *scopes: Scope, user: str = "") -> str:
        """A token of the file."""
        token, record = make_token(name, user or name, scopes)
        self.tokens[name] = token
        self._records = [*getattr(self, "_records", []), record]
        write_tokens(self.tokens_file, self._records)
        return token

    def revoke_file_token(self, name: str) -> None:
        self._records = [record for record in self._records if record.name != name]
        write_tokens(self.tokens_file, self._records)

    def browser(self, session: str = "", base_url: str = PUBLIC) -> "Browser":
        """Another browser; `session`: the cookie that it has."""
        return Browser(self, session, base_url)

    def ask(self, path: str, bearer: str = SERVICE, method: str = "POST", **sent: Any) -> TestResponse:
        """What a program asks."""
        client = Client(DispatcherMiddleware(_not_found, {"/auth": self.app}))
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        where = {"base_url": "http://dppctl-auth:8092", "environ_base": {"REMOTE_ADDR": self.address}}
        return client.open(f"/auth{path}", method=method, headers=headers, **where, **sent)

    def introspect(self, token: str) -> dict[str, Any]:
        answer = self.ask("/introspect", data={"token": token}).json
        assert answer
        return dict(answer)


class Browser:
    """Follows what people do: it keeps cookies, and fills in forms of pages that it got."""

    def __init__(self, world: AuthWorld, session: str, base_url: str) -> None:
        self._world, self._base_url = world, base_url
        self.client = Client(DispatcherMiddleware(_not_found, {"/auth": world.app}))
        self.page = ""
        if session:
            self.set_session(session)

    def set_session(self, value: str) -> None:
        self.client.set_cookie(SESSION_COOKIE, value, domain=self._host, secure=True)

    @property
    def _host(self) -> str:
        return self._base_url.split("://")[1].split(":")[0]

    @property
    def session(self) -> str:
        """The value of the session's cookie."""
        cookie = self.client.get_cookie(SESSION_COOKIE, domain=self._host)
        return cookie.value if cookie else ""

    @property
    def csrf(self) -> str:
        """Of the page that it got last."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.page)
        return found[1] if found else ""

    def get(self, path: str, **query: str) -> TestResponse:
        return self._open(f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, csrf: str | None = None, **form: str) -> TestResponse:
        """A form of the last page; `csrf`: in place of what that has."""
        data = {"csrf": self.csrf if csrf is None else csrf, **form}
        return self._open(path, method="POST", data=data)

    def _open(self, path: str, **sent: Any) -> TestResponse:
        where = {"base_url": self._base_url, "environ_base": {"REMOTE_ADDR": self._world.address}}
        answer = self.client.open(path, **where, **sent)
        self.page = answer.text
        return answer


def _not_found(_: Any, start_response: Any) -> list[bytes]:
    start_response("404 NOT FOUND", [])
    return [b""]


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "auth.sqlite"
        Database(f"sqlite:///{file}", AUTH_SCHEMA).close()
        return file.read_bytes()


def _new_database(folder: Path) -> str:
    """An empty one, with all migrations: a copy is quicker than these."""
    (folder / "auth.sqlite").write_bytes(_template())
    return f"sqlite:///{folder / 'auth.sqlite'}"
