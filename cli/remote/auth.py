"""Calls of a cluster's auth server by a person: a login, and the tokens that the person has."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.model.account import Scope
from cli.remote.client import bearer
from cli.remote.errors import ProxyAwayError, ProxyRefusedError, away, no_server
from cli.remote.limits import ANSWER_SECONDS, CONNECT_SECONDS, MAX_ERROR_BYTES

Shape = TypeVar("Shape", bound=BaseModel)


class _AuthShape(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class TokenInfo(_AuthShape):
    """A token as `/auth/tokens` shows it."""

    id: str
    name: str
    user: str
    login: str = ""
    scopes: tuple[str, ...]
    created: str
    expires: str | None = None
    last_used: str | None = None


class MadeToken(TokenInfo):
    """A token that was made a moment ago."""

    token: str


class _TokenList(_AuthShape):
    tokens: tuple[TokenInfo, ...]


class _AuthProblem(BaseModel):
    error: str = ""
    error_description: str = ""  # of OAuth, whose `error` is a word for programs


class AuthClient:
    """A context with one cluster's auth server. All calls raise ProxyAwayError and ProxyRefusedError."""

    def __init__(self, cluster: str, url: str, token: str = "") -> None:
        """`url`: https://HOST/auth; `token`: the person's, where there is one already."""
        self._cluster, self._url = cluster, url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = bearer(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def tokens(self) -> tuple[TokenInfo, ...]:
        """Return the person's tokens; an admin's: everybody's."""
        return self.ask(_TokenList, "GET", "/tokens").tokens

    def create_token(self, name: str, scopes: Sequence[Scope], days: int) -> MadeToken:
        """Make a token for the same person, and return it, this once."""
        return self.ask(MadeToken, "POST", "/tokens", json={"name": name, "scopes": list(scopes), "days": days})

    def revoke_token(self, identity: str) -> None:
        """Have a token be worth nothing from now on; `current` is the one that this is asked with."""
        self._call("DELETE", f"/tokens/{quote(identity, safe='')}")

    def ask(
        self, shape: type[Shape], method: str, path: str, form: Mapping[str, str] | None = None, json: Any = None
    ) -> Shape:
        """Return what is answered; of OAuth's refusals the error's `code` is OAuth's word."""
        content = self._call(method, path, form, json)
        try:
            return shape.model_validate_json(content)
        except ValidationError:
            raise no_server("auth server", 200, self._cluster) from None

    def _call(self, method: str, path: str, form: Mapping[str, str] | None = None, json: Any = None) -> bytes:
        options: dict[str, Any] = {"timeout": (CONNECT_SECONDS, ANSWER_SECONDS), "allow_redirects": False}
        try:
            with self._session.request(
                method, self._url + path, data=form, json=json, stream=True, **options
            ) as answer:
                content = answer.raw.read(MAX_ERROR_BYTES * 16, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise away(error, self._cluster, self._url) from None
        if 200 <= answer.status_code < 300:
            return bytes(content)
        raise self._refusal(answer.status_code, content)

    def _refusal(self, status: int, content: bytes) -> ProxyAwayError | ProxyRefusedError:
        try:
            problem = _AuthProblem.model_validate_json(content)
        except ValidationError:
            problem = _AuthProblem()
        said = " ".join((problem.error_description or problem.error).split())
        if status in (429, 502, 503, 504):
            phrase = HTTPStatus(status).phrase
            return ProxyAwayError(f"the auth server of {self._cluster} says: {said or f'{status} {phrase}'}")
        if not said:
            return no_server("auth server", status, self._cluster)
        if status == 401:
            said = f"{said} (`dppctl login {self._cluster}` gets another token)"
        return ProxyRefusedError(said, status, problem.error)
