"""GitHub on loopback, as an Enterprise server has it: its REST API below /api/v3, and git over HTTP, with tokens.

Every request and every answer is checked with GitHub's own description; what does not fit ends up in `wrong`, and the
fixture fails the test.
"""

import json
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.forge import Forge
from tests.support.github.answers import Answers
from tests.support.github.faults import DOCS, Fault
from tests.support.github.git_http import git_http
from tests.support.github.oauth import OAuthApp, oauth_app
from tests.support.github.openapi import operations
from tests.support.github.permissions import Refused
from tests.support.github.state import Repo, State, Token
from tests.support.serving import in_thread

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = "/api/v3"
_GITHUB = "dppctl.github"


class FakeGitHub(State):
    """`url` is for DPPCTL_GITHUB_URL, `api_url` for DPPCTL_GITHUB_API_URL."""

    def __init__(self, forge: Forge) -> None:
        super().__init__(forge)
        self.url = ""
        self.faults: list[Fault] = []
        self.calls: list[str] = []  # `METHOD /path`, the oldest first
        self.git_calls: list[tuple[str, str | None]] = []  # path and the token's value
        self.wrong: list[str] = []  # requests and answers that GitHub's description does not allow
        self.oauth = OAuthApp()

    @property
    def api_url(self) -> str:
        return self.url + API

    @property
    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if not call.startswith("GET ")]

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, call)) for call in self.calls)

    def fail(self, fault: Fault, calls: str = "", times: int = 10**9) -> None:
        """From now on, for calls that match, so many times."""
        self.faults.insert(0, fault.only(calls, times))

    def heal(self) -> None:
        self.faults.clear()

    def repo(self, name: str) -> Repo:
        """By its name, or one that it had."""
        key = name.lower()
        return self.repos[key if key in self.repos else self.renamed[key].lower()]

    def deliver(self, name: str, event: str, payload: dict[str, Any]) -> None:
        """What GitHub does when something happens: all hooks of a repository that want to know are told."""
        answers = Answers(self)
        repo = self.repo(name)
        for number, hook in repo.hooks.items():
            if event in hook["events"] or "*" in hook["events"]:
                answers.deliver(repo, number, event, payload)


@cache
def create_app() -> Flask:
    """Return the REST API, of the GitHub that the request's environment names. Its routes take long to make."""
    app = Flask("github")
    for operation in operations().values():
        rule = API + re.sub(r"\{(ref|path)\}", r"<path:\1>", operation.path).replace("{", "<").replace("}", ">")

        def view(_id: str = operation.id, **where: str) -> Response:
            github: FakeGitHub = request.environ[_GITHUB]
            return _answer(github, Answers(github), _id, where)

        app.add_url_rule(rule, operation.id, view, methods=[operation.method])
    app.register_error_handler(404, lambda _: _error(404, "Not Found"))
    return app


def _answer(github: FakeGitHub, answers: Answers, identity: str, where: dict[str, str]) -> Response:
    operation = operations()[identity]
    call = f"{request.method} {request.path.removeprefix(API)}"
    github.calls.append(call)
    for fault in github.faults:
        if fault.takes(call):
            if fault.seconds:
                time.sleep(fault.seconds)
            return _error(fault.status, fault.message, fault.headers)
    body = request.get_json(silent=True)
    token = _token(github)
    headers = {}
    try:
        operation.check_request(request.args, body)
        status, answer = answers(identity, token, where, body or {})
        answer = json.loads(json.dumps(answer).replace("https://api.github.com", github.api_url))
        operation.check_answer(status, answer)
    except AssertionError as error:
        github.wrong.append(str(error))
        return _error(422, f"Validation Failed: {error}")
    except Refused as refused:
        return _error(refused.status, refused.message, refused.headers)
    if isinstance(token, Token):
        if token.scopes is not None:
            headers["X-OAuth-Scopes"] = ", ".join(token.scopes)
        if token.expires:
            headers["GitHub-Authentication-Token-Expiration"] = token.expires.strftime("%Y-%m-%d %H:%M:%S UTC")
    content = None if answer is None else json.dumps(answer)
    return Response(content, status, headers, content_type="application/json; charset=utf-8")


def _token(github: FakeGitHub) -> Token | str | None:
    """Whose call it is: a token; the id of an app that signed; or nobody's that is known."""
    value = request.headers.get("Authorization", "").rpartition(" ")[2]
    if value.count(".") == 2:  # https://docs.github.com/en/apps/creating-github-apps (JSON web token for an app)
        for identity, key in github.apps.items():
            try:
                claims = jwt.decode(value, key, ["RS256"], issuer=identity)
            except jwt.InvalidTokenError:
                continue
            if claims["exp"] - claims["iat"] <= 660:
                return identity
        return None
    token = github.tokens.get(value)
    return token if token and not (token.expires and token.expires < datetime.now(UTC)) else None


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"message": message, "documentation_url": DOCS, "status": str(status)}
    if status == 301:
        body["url"] = (headers or {})["Location"]
    return Response(json.dumps(body), status, headers, content_type="application/json; charset=utf-8")


@contextmanager
def fake_github(forge: Forge, certificate: Path | None = None) -> Iterator[FakeGitHub]:
    """Until the block's end. `certificate`: a file with it and its key, for TLS."""
    github = FakeGitHub(forge)
    api, git, oauth = create_app(), git_http(github), oauth_app(github, github.oauth)

    def both(environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        path, environ[_GITHUB] = environ["PATH_INFO"], github
        if moved := re.match(rf"{API}/repositories/(\d+)", path):  # where a renamed one is redirected to
            name = next(repo.full_name for repo in github.repos.values() if repo.id == int(moved[1]))
            environ["PATH_INFO"] = f"{API}/repos/{name}{path[moved.end() :]}"
        if path.startswith("/login/oauth/"):
            return oauth(environ, start_response)
        return (api if path.startswith(f"{API}/") else git)(environ, start_response)

    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = make_server("127.0.0.1", 0, both, threaded=True, request_handler=_Silent, ssl_context=tls)
    server.daemon_threads = True  # type: ignore[attr-defined]  # a slow answer does not hold up the end
    github.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    with in_thread(server):
        yield github


class _Silent(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Nothing."""


def count_of(calls: list[str]) -> Counter[str]:
    """How often each was called, with numbers and commits left out."""
    return Counter(re.sub(r"/[0-9a-f]{40}|/\d{9,}", "/…", call) for call in calls)
