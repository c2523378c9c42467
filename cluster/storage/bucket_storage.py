"""A storage that is a bucket: its public objects are passed on, with the request's conditions and range.

What of these a bucket does not know, as some servers of S3 do not, is looked at here.

Nobody can list a public bucket, so a folder is what has an `index.html` or a `datapackage.json`. Nothing leads
elsewhere: a bucket's redirect is not followed, and not passed on.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response

from cluster.storage.backend import FolderContents, ListedEntry, StorageUnreachableError, split_path
from cluster.storage.current import Locator
from cluster.storage.folder_storage import FOR_EVER
from cluster.storage.layout import DESCRIPTOR, SITE
from cluster.storage.limits import (
    BUCKET_CONNECT_SECONDS,
    BUCKET_POINTER_SECONDS,
    BUCKET_SILENT_SECONDS,
    CHUNK_BYTES,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ASKED = ("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_ANSWERED = ("Content-Length", "Content-Range", "Content-Encoding", "ETag", "Last-Modified")
_PASSED_ON = (200, 206, 304, 412)
_LATER = (408, 429)
_CONNECTIONS = 80  # as many as the server has threads


class BucketStorage:
    """The objects below a URL, such as https://storage.googleapis.com/BUCKET/PATH."""

    def __init__(self, url: str) -> None:
        """Show what is below `url`, which has no slash at its end."""
        self._url = url
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))
        self._session.auth = lambda request: request  # not what a .netrc says: what is public is what is shown
        self._locator = Locator(self._read, BUCKET_POINTER_SECONDS)

    def answer(self, path: str, environ: "WSGIEnvironment") -> Response | None:
        """Return an object. Raises RequestedRangeNotSatisfiable and StorageUnreachableError."""
        location = self._locator.locate(path)
        given = {name: environ.get(f"HTTP_{name.upper().replace('-', '_')}") for name in _ASKED}
        asked = {name: value for name, value in given.items() if value}
        if "If-None-Match" in asked:  # of a compressed answer the tag is weak, which a bucket may not know
            asked["If-None-Match"] = asked["If-None-Match"].replace("W/", "")
        method = "HEAD" if environ["REQUEST_METHOD"] == "HEAD" else "GET"
        answer = self._ask(method, location.path, asked)
        if answer is not None and "Content-Range" in answer.headers and not _is_unchanged(asked, answer):
            answer.close()  # a part of another version than the client has the rest of
            answer = self._ask(method, location.path, {})
        if answer is None:
            return None
        if answer.status_code == 416:
            answer.close()
            raise RequestedRangeNotSatisfiable(_length(answer) or _length(self._ask("HEAD", location.path, {})))
        response = Response(_Body(answer), status=answer.status_code, direct_passthrough=True)
        if answer.status_code == 200 and "Content-Range" in answer.headers:
            response.status_code = 206
        for name in _ANSWERED:
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        response.headers["Accept-Ranges"] = "bytes"
        if where := location.content_location(path):
            response.headers["Content-Location"] = where
        if location.never_changes:
            response.headers["Cache-Control"] = FOR_EVER
        return response if response.status_code == 206 else response.make_conditional(environ)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the first bytes of an object. Raises StorageUnreachableError."""
        return self._read(self._locator.locate(path).path, limit)

    def size(self, path: str) -> int | None:  # noqa: ARG002
        """Return None: each would cost a request."""
        return None

    def has_folder(self, path: str) -> bool:
        """Return whether an object stands for the folder. Raises StorageUnreachableError."""
        for name in (SITE, DESCRIPTOR):
            if answer := self._ask("HEAD", self._locator.locate(path + name).path, {}):
                answer.close()
                return True
        return False

    def folder(self, path: str) -> FolderContents | None:
        """Return a data package's folder, of which its descriptor is known to be there."""
        location = self._locator.locate(path + DESCRIPTOR)
        answer = self._ask("HEAD", location.path, {})
        if answer is None:
            return None
        answer.close()
        size = answer.headers.get("Content-Length", "")
        return FolderContents((ListedEntry(DESCRIPTOR, bytes=int(size) if size.isdecimal() else None),))

    def problem(self) -> str | None:
        """Return None: a bucket that is away says so to who asks."""
        return None

    def _read(self, path: str, limit: int) -> bytes | None:
        answer = self._ask("GET", path, {"Range": f"bytes=0-{limit - 1}"}, empty=(416,))
        if answer is None:
            return None
        found = bytearray()
        with answer:
            for chunk in _Body(answer):
                found += chunk
                if len(found) >= limit:
                    break
        return bytes(found[:limit])

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], empty: tuple[int, ...] = ()
    ) -> requests.Response | None:
        """Return the bucket's answer; None: it has no such object. Raises StorageUnreachableError.

        S3 says 403 of what is not there when its visitor may not list, and 400 of a name that none can have.
        """
        if not path or path.endswith("/") or split_path(path) is None:
            return None
        try:
            answer = self._session.request(
                method,
                f"{self._url}/{quote(path)}",
                headers={**headers, "Accept-Encoding": "identity"},
                allow_redirects=False,
                stream=True,
                timeout=(BUCKET_CONNECT_SECONDS, BUCKET_SILENT_SECONDS),
            )
        except requests.RequestException as error:
            raise StorageUnreachableError(f"the bucket does not answer: {type(error).__name__}") from None
        if answer.status_code in (*_PASSED_ON, 416) and answer.status_code not in empty:
            return answer
        answer.close()
        is_absent = 400 <= answer.status_code < 500 and answer.status_code not in _LATER
        if is_absent or answer.status_code in empty:
            return None
        raise StorageUnreachableError(f"the bucket answers {answer.status_code}")


class _Body:
    """The bytes of an answer as they come; closed when nobody wants more of them."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer.raw.stream(CHUNK_BYTES, decode_content=False))

    def close(self) -> None:
        self._answer.close()


def _is_unchanged(asked: Mapping[str, str], answer: requests.Response) -> bool:
    """Return whether a part is of what the client has, if it says what that is: some buckets do not look."""
    given = asked.get("If-Range")
    return given is None or given in (answer.headers.get("ETag"), answer.headers.get("Last-Modified"))


def _length(answer: requests.Response | None) -> int | None:
    """Return how long an object is, as an answer without a body says: `bytes */1234`, or its own length.

    https://www.rfc-editor.org/rfc/rfc9110#field.content-range
    """
    if answer is None:
        return None
    answer.close()
    of_error = answer.status_code == 416
    text = answer.headers.get("Content-Range" if of_error else "Content-Length", "").rpartition("/")[2]
    return int(text) if text.isdecimal() else None
