"""What is asked of the storage server, read from a request of WSGI."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# One range: of several at once, and of what is none, all is sent: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
_ONE_RANGE = re.compile(r"bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")
_CONDITIONS = (
    "HTTP_RANGE",
    "HTTP_IF_RANGE",
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
)


@dataclass(frozen=True)
class StorageRequest:
    """A request that reads."""

    environ: "WSGIEnvironment"  # with a range only if it is one that can be answered
    path: str | None  # with the slash before it; None: its bytes are no text
    query: str

    @cached_property
    def wants_json(self) -> bool:
        """Return whether a folder is to be told as JSON."""
        return parse_qs(self.query).get("format") == ["json"]

    @property
    def takes_gzip(self) -> bool:
        """Return whether the answer may be compressed: never when a part of it is asked for."""
        accepted = parse_accept_header(self.environ.get("HTTP_ACCEPT_ENCODING", ""))
        return "HTTP_RANGE" not in self.environ and accepted.quality("gzip") > 0 and "gzip" in accepted.values()

    @property
    def without_conditions(self) -> "WSGIEnvironment":
        """Return the request as for something that the client cannot have."""
        return {name: value for name, value in self.environ.items() if name not in _CONDITIONS}


def read_request(environ: "WSGIEnvironment", base: str) -> StorageRequest:
    """Return what is asked for, below `base`."""
    kept = dict(environ)
    given = kept.get("HTTP_RANGE")
    if given is not None and not (kept["REQUEST_METHOD"] == "GET" and _ONE_RANGE.fullmatch(given.replace(" ", ""))):
        del kept["HTTP_RANGE"]
    try:
        path = str(kept.get("PATH_INFO", "")).encode("latin-1").decode("utf-8")  # as WSGI has it
    except ValueError:
        return StorageRequest(kept, None, "")
    if base and f"{path}/".startswith(f"{base}/"):
        path = path[len(base) :] or "/"
    return StorageRequest(kept, path, str(kept.get("QUERY_STRING", "")))
