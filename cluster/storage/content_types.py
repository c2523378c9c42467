"""Which content type a file is sent with: by its name, the same on every machine."""

from mimetypes import MimeTypes
from pathlib import PurePosixPath

_TYPES = {
    ".avif": "image/avif",
    ".csv": "text/csv",
    ".db": "application/vnd.sqlite3",
    ".geojson": "application/geo+json",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".jsonld": "application/ld+json",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ndjson": "application/x-ndjson",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".sqlite": "application/vnd.sqlite3",
    ".sqlite3": "application/vnd.sqlite3",
    ".topojson": "application/json",
    ".tsv": "text/tab-separated-values",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TEXTS = {
    *("application/json", "application/geo+json", "application/ld+json", "application/manifest+json"),
    *("application/jsonl", "application/x-ndjson", "application/yaml", "application/xml", "application/xhtml+xml"),
    *("application/vnd.google-earth.kml+xml", "image/svg+xml"),
}
_ACTIVE = {"text/html", "application/xhtml+xml", "application/xml", "text/xml", "image/svg+xml"}
# The table of Python itself: what a machine's own files say besides does not count.
_known = MimeTypes()


def content_type(path: str) -> str:
    """Return a file's content type, with the charset of what is text."""
    suffix = PurePosixPath(path).suffix.lower()
    kind = _TYPES.get(suffix)
    if kind is None:
        guessed, encoding = _known.guess_type(f"file{path.rpartition('/')[2]}", strict=False)
        kind = _COMPRESSED.get(encoding, "application/octet-stream") if encoding else guessed
    kind = kind or "application/octet-stream"
    return f"{kind}; charset=utf-8" if is_text(kind) else kind


def is_text(kind: str) -> bool:
    """Return whether a content type is of texts, which get a charset and become smaller by gzip."""
    return _bare(kind).startswith("text/") or _bare(kind) in _TEXTS


def is_active(kind: str) -> bool:
    """Return whether a browser may run scripts of a page with this content type."""
    return _bare(kind) in _ACTIVE or _bare(kind).endswith("+xml")


def _bare(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()
