"""What programs ask the auth server: servers of dppctl whose a token is, and people for tokens of their own."""

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from flask import Response, jsonify, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Conflict, NotFound, Unauthorized
from werkzeug.wsgi import get_input_stream

from cluster.auth.limits import MAX_FORM_BYTES
from cluster.auth.options import AuthOptions
from cluster.auth.service import AuthService, FoundAccount
from cluster.auth.tables import AccessToken
from cluster.auth.tokens import TokenRequestError, joined, read_token_request, split_scopes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_CHALLENGE = WWWAuthenticate("bearer", {"realm": "dppctl"})


class AuthApi:
    """The views for programs; each answers in JSON."""

    def __init__(self, options: AuthOptions, service: AuthService) -> None:
        """Answer what the service knows."""
        self._service, self._service_token = service, options.service_token.encode()

    def introspect_view(self) -> Response:
        """Answer `POST /introspect` of a server."""
        return jsonify(self.introspect(request.environ))

    def introspect(self, environ: "WSGIEnvironment") -> dict[str, Any]:
        """Return what a server is told of a token or session, whose form it sent (RFC 7662).

        Raises Unauthorized, RequestEntityTooLarge and AccountsAwayError.
        """
        self._check_server(environ)
        body = get_input_stream(environ, max_content_length=MAX_FORM_BYTES).read()
        token = parse_qs(body.decode(errors="replace"), errors="surrogateescape").get("token", [""])[0]
        if (found := self._service.find(token)) is None:
            return {"active": False}
        account = found.account
        answer: dict[str, Any] = {
            "active": True,
            "sub": account.user,
            "username": account.login,
            "name": account.token,
            "scope": joined(account.scopes),
            "groups": sorted(account.groups),
        }
        if found.expires:
            answer["exp"] = int(found.expires.timestamp())
        if account.csrf:
            answer["csrf"] = account.csrf
        return answer

    def permissions(self) -> Response:
        """Answer `POST /permissions` of a server: whether a token's person may deploy an app."""
        self._check_server(request.environ)
        if not (app := request.form.get("app", "")):
            raise BadRequest("app: is missing; expected OWNER/REPO or OWNER/REPO/PATH")
        permission = self._service.may_deploy(request.form.get("token", ""), app)
        return jsonify(deploy=permission.allowed, reason=permission.reason)

    def list_tokens(self) -> Response:
        """Answer `GET /tokens` of a person: the own ones, of an admin all."""
        found = self._person()
        return jsonify(tokens=[_shape(record, login) for record, login in self._service.tokens_of(found)])

    def make_token(self) -> tuple[Response, int]:
        """Answer `POST /tokens` of a person: a new one, which is shown this once."""
        found = self._person()
        try:
            token, record = self._service.make_token(found, read_token_request(request.get_json(silent=True)))
        except TokenRequestError as error:
            raise BadRequest(str(error)) from None
        return jsonify(**_shape(record, found.account.login), token=token), 201

    def revoke_token(self, identity: str) -> tuple[str, int]:
        """Answer `DELETE /tokens/ID` of a person: from now on it is worth nothing; `current`: the one that is shown."""
        if identity == "current":
            if not self._service.revoke_own(self._person(), _bearer(request.environ)):
                raise NotFound(
                    "this token is of a file; whoever made it revokes it: dppctl token revoke NAME --file FILE"
                )
        elif not self._service.revoke_token(self._person(), identity):
            raise NotFound("you have no such token; `dppctl token list` has the ids")
        return "", 204

    def _person(self) -> FoundAccount:
        """Return whose bearer token it is. Raises Unauthorized."""
        if (found := self._service.find(_bearer(request.environ))) is None:
            raise Unauthorized("a token that is known here is needed: dppctl login", www_authenticate=_CHALLENGE)
        if found.is_session:
            raise Conflict("a session's cookie is no token")
        return found

    def _check_server(self, environ: "WSGIEnvironment") -> None:
        """Refuse who does not know the servers' own token. Raises Unauthorized."""
        given = _bearer(environ).encode(errors="replace")
        if not self._service_token or not hmac.compare_digest(self._service_token, given):
            text = "only servers of dppctl ask this, by the token of DPPCTL_AUTH_SERVICE_TOKEN_FILE"
            raise Unauthorized(text, www_authenticate=_CHALLENGE)


def _bearer(environ: "WSGIEnvironment") -> str:
    kind, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _shape(record: AccessToken, login: str) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "user": record.user,
        "login": login,
        "scopes": joined(split_scopes(record.scopes)).split(),
        "created": record.created.isoformat(timespec="seconds"),
        "expires": record.expires.isoformat(timespec="seconds"),
        "lastUsed": record.last_used.isoformat(timespec="seconds") if record.last_used else None,
    }
