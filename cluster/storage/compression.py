"""Texts become smaller while they are sent: gzip, made anew for each request, so of texts that are not too long."""

import zlib
from collections.abc import Iterator

from werkzeug.wrappers import Response

from cluster.storage.limits import GZIP_FROM_BYTES, MAX_GZIP_BYTES

_GZIP = 16 + zlib.MAX_WBITS  # https://docs.python.org/3/library/zlib.html#zlib.compressobj
_LEVEL = 5  # 6, the usual, takes a third more time for CSV, and is 2 % smaller


def compress(response: Response) -> None:
    """Have an answer with a text compressed, if it is worth it. Its tag becomes weak: the bytes are others."""
    length = response.content_length
    unchanged = response.status_code == 304
    if "Content-Encoding" in response.headers:
        return
    if not unchanged:
        if response.status_code not in (200, 404) or length is None:
            return
        if not GZIP_FROM_BYTES < length <= MAX_GZIP_BYTES:
            return
        response.response = _Compressed(response)
        response.direct_passthrough = True
        response.headers["Content-Encoding"] = "gzip"
        del response.headers["Content-Length"]
        response.headers.pop("Accept-Ranges", None)
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)


class _Compressed:
    """The chunks of a body, compressed as they come."""

    def __init__(self, response: Response) -> None:
        self._body = response.response
        self._chunks = response.iter_encoded()

    def __iter__(self) -> Iterator[bytes]:
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        for chunk in self._chunks:
            if done := compressor.compress(chunk):
                yield done
        yield compressor.flush()

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._body.close()
