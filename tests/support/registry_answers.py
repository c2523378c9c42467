"""Answers that a registry on loopback gives in tests, and what they are asked for."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bot.images.registry.client import Registry
from bot.model.image_reference import Hosts, Reference
from tests.support.registry import OCI_MANIFEST
from tests.support.serving import Reply, Request
from tests.support.token_server import BASIC, PASSWORD, USER

ON_LOOPBACK = Hosts(frozenset({"127.0.0.1"}))
# A client that asks the tests' registries; what it may ask otherwise is said by `listed`.
client = partial(Registry, listed=ON_LOOPBACK)

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
TYPE = {"Content-Type": OCI_MANIFEST}
HELD = Reply(200, {"Docker-Content-Digest": DIGEST, **TYPE}, MANIFEST)
IMAGE = json.dumps({"config": {"digest": f"sha256:{'c' * 64}"}, "layers": None, "manifests": None}).encode()
IMAGE_DIGEST = f"sha256:{hashlib.sha256(IMAGE).hexdigest()}"
LOGIN_PAGE = Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Please log in</html>")


def app(host: str) -> Reference:
    return Reference.parse(f"{host}/ann/app:1")


def auth_file(folder: Path, host: str) -> Path:
    path = folder / "auth.json"
    path.write_text(json.dumps({"auths": {f"http://{host}/v1/": {"username": USER, "password": PASSWORD}}}))
    return path


def behind_a_password(reply: Reply) -> Callable[[Request], Reply]:
    """Gives the reply to those who show the password."""
    refused = Reply(401, {"WWW-Authenticate": "Basic realm=x"})
    return lambda request: reply if request.authorization == BASIC else refused
