"""Authorization at a registry: what its 401 asks for, and how to get that.

The headers: https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate. Tokens:
https://github.com/distribution/distribution/blob/main/docs/content/spec/auth/token.md
"""

import re
import threading
import time
from collections.abc import Container
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, ValidationError

from bot.images.registry.answers import Lenient
from bot.images.registry.credentials import read_basic
from bot.images.registry.errors import RegistryDeniedError, RegistryError
from bot.images.registry.transport import Transport
from bot.model.image_reference import Reference

_PIECE = re.compile(r'(?P<key>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))|(?P<scheme>[\w-]+)')
_EARLIER = 10  # seconds that a token is given up before it ends: clocks differ


class _Token(Lenient):
    token: str = Field(default="", repr=False)
    access_token: str = Field(default="", repr=False)  # the same by OAuth's name
    expires_in: float = Field(default=60, allow_inf_nan=False)


class Authenticator:
    """Gets Authorization headers, and keeps each until it expires. Safe to use from several threads."""

    def __init__(self, auth_file: Path | None, transport: Transport, listed: Container[str] = frozenset()) -> None:
        """Let HOST[:PORT] that are `listed` give tokens for any registry."""
        self._listed = listed
        self._auth_file = auth_file
        self._transport = transport
        self._cached: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def cached(self, reference: Reference) -> str | None:
        """Return the Authorization header that worked before, if it may still work."""
        with self._lock:
            header, until = self._cached.get(reference.name, ("", 0.0))
        return header if time.monotonic() < until else None

    def forget(self, reference: Reference, header: str) -> None:
        """Keep an Authorization header no longer, which the registry has refused."""
        with self._lock:
            if self._cached.get(reference.name, ("", 0.0))[0] == header:
                del self._cached[reference.name]

    def authorize(self, reference: Reference, challenge: str) -> str:
        """Return a new Authorization header, for a pull; `challenge` is the WWW-Authenticate of the 401.

        The file of credentials is read each time: people rotate them while the bot runs.
        Raises RegistryError, mostly RegistryDeniedError.
        """
        basic = read_basic(self._auth_file, reference) if self._auth_file else None
        offered = challenges(challenge)
        if "bearer" in offered:
            header, seconds = self._token(reference, offered["bearer"], basic)
        elif basic and "basic" in offered:
            header, seconds = basic, float("inf")
        elif offered and "basic" not in offered:
            raise RegistryDeniedError(
                f"{reference.host} lets nobody see {reference.repository} but by {', '.join(offered)}, and dppctl "
                "knows Basic and Bearer: use a registry, or an account, with one of those"
            )
        elif not offered:
            raise RegistryDeniedError(
                f"{reference.host} answers 401 for {reference.repository} without saying how to log in: "
                "is it a registry?"
            )
        else:
            raise self.denied(reference, basic)
        with self._lock:
            self._cached[reference.name] = header, time.monotonic() + seconds - _EARLIER
        return header

    def denied(self, reference: Reference, shown: str | None, *, asked: bool = True) -> RegistryDeniedError:
        """Return an error that says what to do.

        `shown`: the Authorization header that did not help, if any; `asked`: the registry wanted one.
        """
        if shown and self._auth_file and read_basic(self._auth_file, reference):
            return RegistryDeniedError(
                f"{reference.host} refuses {reference.repository} with the credentials in {self._auth_file}: "
                "they are wrong, may not pull it, or there is no such repository"
            )
        if shown is None and not asked:
            return RegistryDeniedError(
                f"{reference.host} forbids {reference.repository} without asking for a login: this machine's address "
                "is not let in, or there is no such repository"
            )
        missing = f"{self._auth_file} has none for it" if self._auth_file else "there are none"
        return RegistryDeniedError(
            f"{reference.host} wants credentials for {reference.repository}, and {missing}: log in "
            f"(`skopeo login --authfile FILE {reference.host}`) and name the file in DPPCTL_REGISTRY_AUTH_FILE"
        )

    def _token(self, reference: Reference, offer: dict[str, str], basic: str | None) -> tuple[str, float]:
        """Return a token and its seconds to live, from the server that the registry names (its realm)."""
        realm = offer.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise RegistryError(f"{reference.host} wants a token, but names no server that gives one")
        parts = urlsplit(realm)
        if parts.netloc not in self._listed and not (parts.scheme == "https" and same_site(parts, reference.host)):
            raise RegistryDeniedError(
                f"{reference.host} names {parts.netloc} for its tokens: that has to be at the registry's own site, "
                "with TLS, or DPPCTL_IMAGE_REGISTRIES has to name it"
            )
        query = {"scope": f"repository:{reference.repository}:pull"}
        if "service" in offer:
            query["service"] = offer["service"]
        answer = self._transport.request("GET", realm, {"Authorization": basic} if basic else {}, query)
        if answer.status in (401, 403):
            raise self.denied(reference, basic)
        try:
            given = _Token.model_validate_json(answer.body)
        except ValidationError:  # its text would quote the token
            given = _Token()
        if not (token := given.token or given.access_token):
            raise RegistryError(f"the token server of {reference.host} answers {answer.status} without a token")
        return f"Bearer {token}", given.expires_in


def same_site(realm: SplitResult, registry: str) -> bool:
    """Tell whether one's host is the other's, or a name below it: auth.docker.io is docker.io's."""
    try:
        hosts = (realm.hostname or "").lower(), (urlsplit(f"//{registry}").hostname or "").lower()
    except ValueError:
        return False
    short, long = sorted(hosts, key=len)
    return "@" not in realm.netloc and (short == long or ("." in short and long.endswith(f".{short}")))


def challenges(header: str) -> dict[str, dict[str, str]]:
    """Return the challenges of a WWW-Authenticate header: parameters by scheme, names in lower case."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    for piece in _PIECE.finditer(header):
        if piece["scheme"]:
            parameters = found.setdefault(piece["scheme"].lower(), {})
        else:
            quoted = piece["quoted"]
            parameters[piece["key"].lower()] = piece["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return found
