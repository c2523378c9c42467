"""Deploy keys, as the setting holds them."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated

from pydantic import Field

from bot.model.names import is_repository

HostKey = Annotated[
    str, Field(pattern=r"^[a-z0-9-]+(@openssh\.com)? [A-Za-z0-9+/]+={0,2}$")
]  # such as: ssh-ed25519 AAAA…


def parse_deploy_keys(text: str) -> dict[str, str]:
    """Return private keys by the repositories' lower-case names, of `OWNER/REPO=KEY,…`. Raises ValueError otherwise."""
    keys = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, encoded = part.partition("=")
        try:
            key = b64decode(encoded, validate=True).decode()
        except (Base64Error, UnicodeDecodeError):
            key = ""
        if not is_repository(name) or "PRIVATE KEY-----" not in key:
            raise ValueError("expected OWNER/REPO=KEY, KEY being base64 of a private key in OpenSSH's format")
        keys[name.lower()] = key
    return keys
