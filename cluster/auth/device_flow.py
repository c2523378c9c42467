"""The device flow for `dppctl login`, by Authlib: https://www.rfc-editor.org/rfc/rfc8628.

Authlib has the endpoint, the order of the checks and the errors. Ours is what it leaves out: a code is taken once; who
asks too often waits longer; no token is logged; and the server, which hears plain http behind what ends TLS, works.
"""

from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Payload
from authlib.oauth2.rfc6749 import AccessDeniedError, ClientMixin, InvalidGrantError, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    DeviceCredentialMixin,
)
from flask import Flask, Request, Response, request
from werkzeug.exceptions import NotFound, TooManyRequests

from bot.logs import get_logger
from bot.model.account import SCOPES
from cluster.auth.device_codes import DeviceCodes, DeviceRequest
from cluster.auth.limits import DEVICE_CODE_SECONDS, DEVICE_CODES_A_MINUTE, DEVICE_INTERVAL_SECONDS
from cluster.auth.service import AuthService
from cluster.auth.tables import DeviceCode
from cluster.auth.tokens import TokenRequestError, check_name, split_scopes
from cluster.auth.tries import count_failure, has_failed_often
from cluster.auth.web import Visits

CLIENT_ID = "dppctl"
_USUAL_SCOPES = "read run ssh"

_log = get_logger("dppctl.auth")


class DeviceFlow:
    """The views that a device asks."""

    def __init__(self, app: Flask, service: AuthService, visits: Visits, codes: DeviceCodes) -> None:
        """Give codes to devices, and tokens to those that somebody let in."""
        self._service, self._visits = service, visits
        self._server = _DeviceServer(app, codes, self._verification_uri, service)

    def begin(self) -> Response:
        """Answer `POST /device/code`: what the device polls with, and what a person is to type."""
        self._check_mode()
        keys, now = [f"device code {request.remote_addr}"], self._service.clock()
        with self._service.database.write() as session:
            if has_failed_often(session, keys, DEVICE_CODES_A_MINUTE, 60, now):
                raise TooManyRequests(f"too many logins begin at {request.remote_addr}; wait a minute", retry_after=60)
            count_failure(session, keys, now)
        answer: Response = self._server.create_endpoint_response(_CodeEndpoint.ENDPOINT_NAME)
        return answer

    def token(self) -> Response:
        """Answer `POST /token`: the token, once somebody has let the device in."""
        self._check_mode()
        answer: Response = self._server.create_token_response()
        return answer

    def _check_mode(self) -> None:
        if self._service.options.mode == "none":
            raise NotFound("there is no login here; DPPCTL_AUTH_MODE is none")

    def _verification_uri(self) -> str:
        return f"{self._visits.base_url()}/auth/device"


class _DeviceClient(ClientMixin):  # type: ignore[misc]
    """The one client, which everybody has and which so has no secret."""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002
        return method == "none"

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == DEVICE_CODE_GRANT_TYPE)


class _DeviceOAuthRequest(OAuth2Request):  # type: ignore[misc]
    """A request, taken for encrypted: a server behind what ends TLS hears plain http, and Authlib refuses that."""

    def __init__(self, asked: Request) -> None:
        super().__init__(asked.method, f"https://{asked.host}{asked.path}", headers=asked.headers)
        self._request = asked
        self.payload = FlaskOAuth2Payload(asked)

    @property
    def args(self) -> Any:
        return self._request.args

    @property
    def form(self) -> Any:
        return self._request.form


class _DeviceServer(AuthorizationServer):  # type: ignore[misc]
    def __init__(self, app: Flask, codes: DeviceCodes, verification_uri: Any, service: AuthService) -> None:
        self.codes, self.verification_uri, self.service = codes, verification_uri, service
        client = _DeviceClient()
        super().__init__(app, lambda identity: client if identity == CLIENT_ID else None)
        self.scopes_supported = list(SCOPES)
        self.register_grant(_DeviceGrant)
        self.register_endpoint(_CodeEndpoint(self))

    def create_oauth2_request(self, _: object) -> _DeviceOAuthRequest:
        return _DeviceOAuthRequest(request)


class _CodeEndpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS: ClassVar = ["none"]
    EXPIRES_IN = DEVICE_CODE_SECONDS
    INTERVAL = DEVICE_INTERVAL_SECONDS

    def get_verification_uri(self) -> str:
        uri: str = self.server.verification_uri()
        return uri

    def save_device_credential(self, client_id: str, scope: str | None, given: dict[str, Any]) -> None:  # noqa: ARG002
        try:
            name = check_name(request.form.get("name"))
        except TokenRequestError as error:
            raise InvalidRequestError(str(error)) from None
        wanted = DeviceRequest(name, request.remote_addr or "", split_scopes(scope or _USUAL_SCOPES))
        self.server.codes.add(given["device_code"], given["user_code"], wanted)


class _Credential(DeviceCredentialMixin):  # type: ignore[misc]
    def __init__(self, code: DeviceCode, *, expired: bool) -> None:
        self.code, self._expired = code, expired

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_scope(self) -> str:
        return self.code.scopes

    def get_user_code(self) -> DeviceCode:
        return self.code

    def is_expired(self) -> bool:
        return self._expired


class _DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["none"]

    def query_device_credential(self, device_code: str) -> _Credential | None:
        code = self.server.codes.find(device_code)
        return _Credential(code, expired=code.expires <= self.server.service.clock()) if code else None

    def query_user_grant(self, user_code: DeviceCode) -> tuple[str, bool] | None:
        return None if user_code.approved is None else (user_code.user or "", user_code.approved)

    def should_slow_down(self, credential: _Credential) -> bool:
        early: bool = self.server.codes.is_too_early(credential.code)
        return early

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """Return a token of our own, once; Authlib's way would give one for each request, and log it."""
        try:
            made = self.server.codes.take(self.request.credential.code)
        except TokenRequestError as error:
            raise AccessDeniedError(str(error)) from None
        if made is None:
            raise InvalidGrantError("this code was used already, or whoever let the device in may nothing any more")
        token, record = made
        _log.info("a device is let in", user=record.user, name=record.name, scopes=record.scopes)
        seconds = int((record.expires - record.created).total_seconds())
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": record.scopes}
        return 200, answer, self.TOKEN_RESPONSE_HEADER
