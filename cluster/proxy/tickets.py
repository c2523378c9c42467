"""What lets a browser, which shows no bearer token, see the pages of a run's database: a signature. Pure."""

import hashlib
import hmac


def make_ticket(key: bytes, uid: str, expires: int) -> str:
    """Return a ticket for the database of the run with this uid, until `expires` (seconds since 1970)."""
    return f"{expires}.{_signature(key, uid, expires)}"


def is_valid(key: bytes, uid: str, ticket: str, now: float) -> bool:
    """Return whether this is a ticket for the run's database, and its time is not over."""
    text, _, signature = ticket.partition(".")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        return False
    expected = _signature(key, uid, int(text)).encode()
    return hmac.compare_digest(expected, signature.encode(errors="replace")) and now < int(text)


def _signature(key: bytes, uid: str, expires: int) -> str:
    return hmac.new(key, f"database pages of {uid} until {expires}".encode(), hashlib.sha256).hexdigest()
