"""Login at GitHub, Google, or any provider of OpenID Connect, by Authlib: the code flow with state and PKCE.

GitHub has OAuth 2.0 alone, so its API is asked who somebody is; the others say it in a signed token, whose issuer,
audience, signature and nonce Authlib checks. https://docs.authlib.org/en/latest/client/flask.html
"""

import re
from collections.abc import Mapping
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, request, session
from joserfc.errors import JoseError
from werkzeug.exceptions import BadRequest, Forbidden, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

from bot.logs import get_logger
from cluster.auth.github import GitHubAccount, read_account
from cluster.auth.limits import MAX_STATES, PROVIDER_SECONDS
from cluster.auth.options import AuthOptions, OAuthProvider
from cluster.auth.people import ProvenIdentity
from cluster.auth.service import AuthService, NotAdmittedError
from cluster.auth.web import Visits, local_path

_log = get_logger("dppctl.auth")


class ProviderLogin:
    """The views of a login elsewhere: the way to the provider, and back."""

    def __init__(self, app: Flask, service: AuthService, visits: Visits) -> None:
        """Know the providers of the service's options; nothing is asked yet."""
        self._service, self._visits = service, visits
        self._providers = {provider.name: provider for provider in service.options.providers}
        self._oauth = OAuth(app)
        for provider in service.options.providers:
            self._oauth.register(provider.name, **_client(provider, service.options))

    def begin(self, name: str) -> Response:
        """Answer `GET /login/PROVIDER`: lead the browser to the provider."""
        self._visits.check_secure()
        provider = self._provider(name)
        states = [key for key in session if key.startswith("_state_")]
        for key in states[: len(states) + 1 - MAX_STATES]:  # logins that were begun and left
            session.pop(key)
        session.permanent = True  # its time begins now
        session["next"] = local_path(request.args.get("next"))
        try:
            answer: Response = self._oauth.create_client(name).authorize_redirect(self._callback(name))
        except (requests.RequestException, RuntimeError, ValueError) as error:
            raise self._away(provider, error) from None
        return answer

    def finish(self, name: str) -> Response:
        """Answer `GET /callback/PROVIDER`: let in who comes back with a code, if a list names that person."""
        self._visits.check_secure()
        provider = self._provider(name)
        following = session.pop("next", "/")
        try:
            client = self._oauth.create_client(name)
            token = client.authorize_access_token()
            found = self._of_github(token) if name == "github" else identity_of(name, _claims(client, token))
        except (AuthlibBaseError, JoseError) as error:
            raise self._refused(provider, error) from None
        except (requests.RequestException, RuntimeError, ValueError, KeyError) as error:
            raise self._away(provider, error) from None
        try:
            begun = self._service.log_in(found)
        except NotAdmittedError as error:
            _log.warning("nobody on the lists", user=found.user, login=found.login, address=request.remote_addr)
            raise Forbidden(str(error)) from None
        _log.info("logged in", user=found.user, login=found.login, address=request.remote_addr)
        return self._visits.begin(begun, following)

    def _of_github(self, token: Mapping[str, Any]) -> ProvenIdentity:
        """Return who somebody is by GitHub's API, and what of GitHub the person is in."""
        access_token = str(token["access_token"])
        options = self._service.options
        account: GitHubAccount = read_account(options.github, access_token, with_groups=options.needs_organizations)
        groups = frozenset(f"org:{name}" for name in account.organizations)
        return ProvenIdentity(f"github:{account.id}", account.login, groups, github_token=access_token)

    def _provider(self, name: str) -> OAuthProvider:
        for known, provider in self._providers.items():
            if known == name:
                return provider
        raise NotFound("there is no such login here")

    def _callback(self, name: str) -> str:
        return f"{self._visits.base_url()}/auth/callback/{name}"

    def _refused(self, provider: OAuthProvider, error: Exception) -> BadRequest:
        """Return what is told of a login that failed: of what the request says itself a known word at most."""
        word = getattr(error, "error", "") or type(error).__name__
        known = word if re.fullmatch(r"[a-z_]{1,40}", word) else type(error).__name__
        # Not what the error says: it may name parts of a token.
        _log.warning("a login failed", provider=provider.name, error=known, address=request.remote_addr)
        if known == "access_denied":
            return BadRequest(f"the login at {provider.title} was refused there; you can try again")
        if known == "mismatching_state":
            return BadRequest("this login was not begun in this browser, or took too long; begin again")
        return BadRequest(f"the login at {provider.title} failed ({known}); begin again")

    def _away(self, provider: OAuthProvider, error: Exception) -> ServiceUnavailable:
        _log.error("a provider does not answer as it should", provider=provider.name, error=type(error).__name__)
        return ServiceUnavailable(f"{provider.title} does not answer as it should; try again later", retry_after=10)


def identity_of(name: str, claims: Mapping[str, Any]) -> ProvenIdentity:
    """Return who somebody is by the claims of a checked ID token. Raises OAuthError when it does not say.

    https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims; of Google's own, `hd` says that its address
    is managed by that domain, which a verified one alone does not:
    https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
    """
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not re.fullmatch(r"[^\s:\x00-\x1f\x7f]{1,255}", subject):
        raise OAuthError("invalid_subject")
    is_verified = claims.get("email_verified") is True and isinstance(email, str) and "@" in email
    domain = claims.get("hd") if name == "google" else str(email).rpartition("@")[2] if is_verified else None
    shown = email if is_verified else claims.get("preferred_username") or claims.get("name") or email or subject
    groups = frozenset({f"domain:{domain.casefold()}"} if isinstance(domain, str) and domain else ())
    login = "".join(filter(str.isprintable, str(shown)))[:200]
    return ProvenIdentity(f"{name}:{subject}", login or subject, groups, is_login_proven=is_verified)


def _claims(client: Any, token: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an ID token says, which Authlib has checked. Raises OAuthError when there is none."""
    if not client.load_server_metadata().get("issuer") or "userinfo" not in token:
        raise OAuthError("no_id_token")
    claims: Mapping[str, Any] = token["userinfo"]
    return claims


def _client(provider: OAuthProvider, options: AuthOptions) -> dict[str, Any]:
    """Return what Authlib is told of a provider."""
    common = {"client_id": provider.client_id, "client_secret": provider.client_secret}
    usual = {"code_challenge_method": "S256", "default_timeout": PROVIDER_SECONDS}
    if provider.name != "github":
        kept = {**usual, "scope": "openid email profile"}
        return {**common, "server_metadata_url": provider.metadata_url, "client_kwargs": kept}

    def use_certificate(asking: requests.Session) -> None:
        asking.verify = options.github.verify

    scope = "read:org" if options.needs_organizations else ""
    return {
        **common,
        "authorize_url": f"{options.github.url}/login/oauth/authorize",
        "access_token_url": f"{options.github.url}/login/oauth/access_token",
        "compliance_fix": use_certificate,
        "client_kwargs": {**usual, "scope": scope, "token_endpoint_auth_method": "client_secret_post"},
    }
