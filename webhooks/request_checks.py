"""Decide from a request's headers whether one of our own pages sent it. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def why_not_own(environ: Mapping[str, Any]) -> str | None:
    """Return why a request was not sent by one of our own pages; None: a browser says that it was.

    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site; all browsers send Origin with a POST.
    """
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site not in (None, "same-origin"):
        return "it was sent from another site"
    if origin is None:
        return None if site else "it does not say which page sent it (Origin)"
    try:
        sender = urlsplit(str(origin)).netloc.lower()
    except ValueError:
        sender = ""
    return None if sender and sender == str(environ.get("HTTP_HOST", "")).lower() else "it was sent from another site"
