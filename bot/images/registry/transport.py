"""Requests to a registry or its token server: with time limits, over TLS, through the right proxy."""

import ipaddress
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from bot.images.registry.addresses import GuardedAdapter
from bot.images.registry.errors import RegistryAwayError, RegistryError

_MAX_BYTES = 4 * 2**20  # of a manifest: https://github.com/opencontainers/distribution-spec/blob/main/spec.md


@dataclass(frozen=True)
class Answer:
    """What came back; the body only of a 200 that is to be read."""

    status: int
    headers: Mapping[str, str]  # by name, in any case
    body: bytes


class Transport:
    """Safe to use from several threads: each request has a session of its own."""

    def __init__(
        self,
        plain_http: frozenset[str],
        seconds: float,
        ca: tuple[str, Path] | None = None,
        listed: Container[str] = frozenset(),
    ) -> None:
        """`plain_http`: HOST[:PORT] without TLS; `seconds` to wait for a connection, and for each part of an answer.

        `ca`: a host and the file with the authorities that it is to be known by, in place of the usual ones. `listed`:
        HOST[:PORT] that may be on this machine.
        """
        self._listed = listed
        self._plain_http = plain_http
        self._ca = ca
        self._seconds = seconds

    def url(self, host: str, path: str) -> str:
        """Return the URL of a path: plain HTTP on loopback, as for docker, and where it was allowed; else TLS."""
        return f"{'http' if self._may_be_plain(f'//{host}') else 'https'}://{host}{path}"

    def request(
        self, method: str, url: str, headers: Mapping[str, str], query: Mapping[str, str], *, read: bool = True
    ) -> Answer:
        """Send a request and return the answer, whatever its status says.

        Redirects are followed: to other hosts without the Authorization header, to plain HTTP only as in `url`. Without
        `read` they are not, and no body is read. Raises RegistryAwayError when the server is away (429, 5xx or no
        answer), RegistryError for an answer that is unusable.
        """
        try:
            with requests.Session() as session:
                session.mount("https://", GuardedAdapter(self._listed))
                session.mount("http://", _PlainAdapter(self._listed, self._may_be_plain))
                # Proxies and certificates of the environment, but no .netrc instead of our credentials; and no
                # proxy to loopback, whatever NO_PROXY says.
                session.trust_env = not _is_loopback(urlsplit(url).hostname)
                route = session.merge_environment_settings(url, {}, True, None, None)
                if self._ca and urlsplit(url).netloc == self._ca[0]:
                    route["verify"] = str(self._ca[1])
                session.trust_env = False
                answer = session.request(
                    method, url, headers=headers, params=query, timeout=self._seconds, allow_redirects=read, **route
                )
                status = answer.status_code
                if status == 429 or (status >= 500 and status != 501):  # 501: it does not know this method
                    raise RegistryAwayError(f"{_host(answer.url)} answers {status}")
                return Answer(status, answer.headers, _body(answer) if status == 200 and read else b"")
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            last = error.request  # after redirects
            host = _host(last.url if last else url)
            hint = " (is it a registry without TLS?)" if isinstance(error, requests.exceptions.SSLError) else ""
            raise RegistryAwayError(f"{host} is away: {_reason(error)}{hint}") from None
        except (requests.RequestException, ValueError) as error:
            what = type(error).__name__  # its text may quote a URL, and that may be signed
            raise RegistryError(f"{_host(url)} answers what cannot be followed ({what})") from None

    def _may_be_plain(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.netloc in self._plain_http or _is_loopback(parts.hostname)


class _PlainAdapter(GuardedAdapter):
    """Every request without TLS passes here, also after a redirect."""

    def __init__(self, listed: Container[str], allowed: Callable[[str], bool]) -> None:
        super().__init__(listed)
        self._allowed = allowed

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        if not self._allowed(request.url or ""):
            raise RegistryError(f"{_host(request.url)} would be asked without TLS, which the settings do not allow")
        return super().send(request, *arguments, **options)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _host(url: str | None) -> str:
    """Return a URL's host for a message, without what else a URL may hold."""
    try:
        return urlsplit(url or "").netloc.rpartition("@")[2]
    except ValueError:
        return "the registry"


def _body(answer: requests.Response) -> bytes:
    body = b""
    for chunk in answer.iter_content(2**16):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise RegistryError(f"{_host(answer.url)} answers with more than {_MAX_BYTES >> 20} MB")
    return body


def _reason(error: Exception) -> str:
    """Return the innermost reason, such as `[Errno 111] Connection refused`."""
    for inner in (getattr(error, "reason", None), *error.args[-1:]):
        if isinstance(inner, Exception):
            return _reason(inner)
    text = str(error)
    return text if text.startswith("[") else text.rpartition(": ")[2]  # not within `[SSL: WRONG_VERSION_NUMBER]`
