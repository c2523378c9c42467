"""A token server as registries have them (https://distribution.github.io/distribution/spec/auth/jwt/).

It signs with openssl, so that tests need no library for it; a real docker-registry checks what it signs.
"""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import Reply, Request, serving

USER, PASSWORD = "ann", "s3same-0pen"
BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


@dataclass
class TokenServer:
    """USER with PASSWORD may pull what she asks for; anybody gets a token, which opens nothing."""

    folder: Path
    host: str = ""
    expires_in: int = 300
    asked: list[Request] = field(default_factory=list)

    @property
    def registry_auth(self) -> str:
        """For the configuration of a registry."""
        certificate = self.folder / "token.crt"
        realm = f"http://{self.host}/token"
        return f"{{token: {{realm: '{realm}', service: test, issuer: test, rootcertbundle: {certificate}}}}}"

    def make_key(self) -> None:
        """A key, and its certificate that the registry is given."""
        out = ["-keyout", self.folder / "token.key", "-out", self.folder / "token.crt"]
        what = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"]
        subprocess.run(["openssl", "req", *what, *out], check=True, capture_output=True)

    def sign(self, name: str, actions: list[str]) -> str:
        """A token for a repository."""
        lines = (self.folder / "token.crt").read_text().splitlines()
        now = int(time.time())
        access = [{"type": "repository", "name": name, "actions": actions}]
        claims = {"iss": "test", "aud": "test", "sub": USER, "nbf": now - 10, "exp": now + 300, "access": access}
        head = _part({"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines[1:-1])]})
        signed = head + b"." + _part(claims)
        command = ["openssl", "dgst", "-sha256", "-sign", self.folder / "token.key"]
        signature = subprocess.run(command, input=signed, check=True, capture_output=True).stdout
        return (signed + b"." + _base64(signature)).decode()

    def answer(self, request: Request) -> Reply:
        """As to `GET /token?service=test&scope=repository:NAME:pull`."""
        self.asked.append(request)
        query = parse_qs(urlsplit(request.path).query)
        kind, name, action = query["scope"][0].split(":")
        if request.authorization not in (None, BASIC) or (kind, query["service"]) != ("repository", ["test"]):
            return Reply(401)
        token = self.sign(name, [action] if request.authorization else [])
        return Reply(200, body=json.dumps({"token": token, "expires_in": self.expires_in}).encode())


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """One that ends with the test."""
    tokens = TokenServer(folder)
    tokens.make_key()
    with serving(tokens.answer) as tokens.host:
        yield tokens


def _part(content: object) -> bytes:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
