"""The fake GitHub's login for other sites: the web application flow, with PKCE.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request

from tests.support.github.state import State, Token


@dataclass
class OAuthApp:
    """An app that is registered, and who sits in front of the browser; whoever that is allows all."""

    client_id: str = "Iv1.dppctl"
    client_secret: str = "secret of the app"
    callback: str = ""  # the address that was registered
    visitor: str = ""  # login of who is logged in at GitHub
    error: str = ""  # what it answers in place of a code, such as access_denied
    asked_scopes: list[str] = field(default_factory=list)
    codes: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)  # code: login, scope, challenge, redirect


def oauth_app(github: State, registered: OAuthApp) -> Flask:
    """Return `/login/oauth/authorize` and `/login/oauth/access_token`."""
    app = Flask("github-oauth")

    def authorize() -> Response | tuple[str, int]:
        query = request.args
        if query.get("client_id") != registered.client_id:
            return "Not Found", 404
        if not query.get("redirect_uri", "").startswith(registered.callback):
            return _back(registered.callback, error="redirect_uri_mismatch", state=query.get("state", ""))
        if registered.error:
            about = {"error": registered.error, "error_description": "<b>The user has denied your access.</b>"}
            return _back(query["redirect_uri"], **about, state=query.get("state", ""))
        assert query.get("code_challenge_method") == "S256", "GitHub takes S256 only"
        code, scope = secrets.token_hex(10), query.get("scope", "")
        registered.asked_scopes.append(scope)
        registered.codes[code] = registered.visitor, scope, query["code_challenge"], query["redirect_uri"]
        return _back(query["redirect_uri"], code=code, state=query.get("state", ""))

    def access_token() -> Response:
        form = request.form
        if (form.get("client_id"), form.get("client_secret")) != (registered.client_id, registered.client_secret):
            return jsonify(error="incorrect_client_credentials", error_description="The client_id is incorrect.")
        found = registered.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if found is None or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != found[2]:
            return jsonify(error="bad_verification_code", error_description="The code passed is incorrect or expired.")
        if form.get("redirect_uri") != found[3]:
            return jsonify(error="redirect_uri_mismatch", error_description="The redirect_uri MUST match.")
        token = f"gho_{secrets.token_hex(18)}"
        github.tokens[token] = Token(token, found[0], tuple(found[1].split()))
        return jsonify(access_token=token, scope=",".join(found[1].split()), token_type="bearer")

    app.add_url_rule("/login/oauth/authorize", "authorize", authorize)
    app.add_url_rule("/login/oauth/access_token", "access_token", access_token, methods=["POST"])
    return app


def _back(address: str, **query: str) -> Response:
    return redirect(f"{address}?{urlencode(query)}")  # type: ignore[return-value]
