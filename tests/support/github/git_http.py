"""git over smart HTTP with a token, the way GitHub answers it: `git http-backend` behind WSGI.

https://git-scm.com/docs/git-http-backend
"""

import base64
import os
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from werkzeug.wsgi import get_input_stream

from tests.support.github.faults import SSO_URL
from tests.support.github.state import Repo, State, Token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What GitHub prints when a branch is protected; git shows it after `remote: `.
_PROTECTED = """#!/bin/sh
while read old new ref; do
  test "$ref" = refs/heads/{branch} || continue
  echo "error: GH006: Protected branch update failed for $ref." >&2
  echo "error: At least 1 approving review is required by reviewers with write access." >&2
  exit 1
done
"""


def git_http(github: State) -> "WSGIApplication":
    """Serves the fake's repositories to its tokens."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        token = _token(github, environ.get("HTTP_AUTHORIZATION", ""))
        github.git_calls.append((path, token.value if token else None))  # type: ignore[attr-defined]
        name, _, rest = path.lstrip("/").partition(".git/")
        is_push = "git-receive-pack" in rest + environ["QUERY_STRING"]

        def say(status: str, text: str, *headers: tuple[str, str]) -> Iterable[bytes]:
            start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
            return [text.encode()]

        for fault in github.faults:  # type: ignore[attr-defined]
            if fault.takes(f"git {path}"):
                return say(f"{fault.status} Fault", fault.message)
        if token is None:
            challenge = ("WWW-Authenticate", 'Basic realm="GitHub"')
            return say("401 Unauthorized", "Invalid username or token.", challenge)
        if new := github.renamed.get(name.lower()):
            return say("301 Moved Permanently", "", ("Location", f"/{new}.git/{rest}?{environ['QUERY_STRING']}"))
        repo = github.repos.get(name.lower())
        if repo is None or repo not in github.visible(token):
            return say("404 Not Found", "Repository not found.")
        if refusal := _refusal(token, repo) if is_push else None:
            return say("403 Forbidden", refusal)
        _protect(repo)
        return _backend(repo, rest, environ, start_response)

    return answer


def _token(github: State, authorization: str) -> Token | None:
    scheme, _, value = authorization.partition(" ")
    if scheme != "Basic":
        return None
    token = github.tokens.get(base64.b64decode(value).decode().partition(":")[2])
    return token if token and not (token.expires and token.expires < datetime.now(UTC)) else None


def _refusal(token: Token, repo: Repo) -> str | None:
    if repo.archived:
        return "This repository was archived so it is read-only."
    if token.user == "no-sso":
        return (
            "The 'acme' organization has enabled or enforced SAML SSO.\nTo access this repository, visit "
            f"{SSO_URL} and try your request again."
        )
    allowed = token.permissions.get("contents") == "write" if token.scopes is None else "repo" in token.scopes
    if not allowed or not (token.is_installation or repo.may(token.user, "write")):
        return f"Permission to {repo.full_name}.git denied to {token.user}."
    return None


def _protect(repo: Repo) -> None:
    hook = repo.git.bare / "hooks" / "pre-receive"
    for branch in repo.protected:
        hook.write_text(_PROTECTED.format(branch=branch))
        hook.chmod(0o755)
    if not repo.protected:
        hook.unlink(missing_ok=True)


def _backend(repo: Repo, rest: str, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    body = get_input_stream(environ).read()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_PROJECT_ROOT": str(repo.git.bare),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.receivepack",
        "GIT_CONFIG_VALUE_0": "true",
        "REQUEST_METHOD": environ["REQUEST_METHOD"],
        "PATH_INFO": f"/{rest}",
        "QUERY_STRING": environ["QUERY_STRING"],
        "CONTENT_TYPE": environ.get("CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": environ.get("HTTP_CONTENT_ENCODING", ""),
        "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True).stdout
    head, _, content = done.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    start_response(fields.pop("Status", "200 OK"), list(fields.items()))
    return [content]
