"""What lets somebody upload a publication, once, within a quarter of an hour: a signature. Pure, and nothing is kept.

Each proxy knows each token. It is of one publication, which the publisher takes once.
"""

import base64
import binascii
import hashlib
import hmac

from pydantic import BaseModel, ConfigDict, ValidationError


class UploadToken(BaseModel):
    """What it is for."""

    model_config = ConfigDict(frozen=True)

    uid: str
    prefix: str  # in the storage
    limit_bytes: int
    expires: int  # seconds since 1970
    user: str  # who uploads
    login: str
    day_bytes: int | None = None  # that this user may publish in 24 hours


def sign(key: bytes, token: UploadToken) -> str:
    """Return the token as a bearer shows it."""
    claims = base64.urlsafe_b64encode(token.model_dump_json().encode()).decode().rstrip("=")
    return f"{claims}.{_signature(key, claims)}"


def read(key: bytes, text: str, now: float) -> UploadToken | None:
    """Return what a token is for; None: it was not made here, or its time is over."""
    claims, _, signature = text.partition(".")
    if not hmac.compare_digest(_signature(key, claims).encode(), signature.encode(errors="replace")):
        return None
    try:
        token = UploadToken.model_validate_json(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (binascii.Error, ValidationError):
        return None
    return token if now < token.expires else None


def _signature(key: bytes, claims: str) -> str:
    return hmac.new(key, f"upload of a publication {claims}".encode(errors="replace"), hashlib.sha256).hexdigest()
