"""What people are shown of a data package: read from its descriptor, which may hold anything.

https://datapackage.org/standard/data-package/
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from bot.model.receipt import plain
from cluster.storage.backend import StorageBackend, split_path
from cluster.storage.layout import DESCRIPTOR
from cluster.storage.limits import (
    MAX_DESCRIPTOR_BYTES,
    MAX_SHOWN_FIELDS,
    MAX_SHOWN_RESOURCES,
    MAX_SHOWN_TEXT,
    PREVIEW_BYTES,
    PREVIEW_SECONDS,
)
from cluster.storage.preview import Rows, can_preview, first_rows

_MOST_BYTES = 2**63  # of a file


@dataclass(frozen=True)
class PackageLink:
    """Something with an address; `href` is "" where that is none of the web's."""

    text: str
    href: str = ""
    bytes: int | None = None


@dataclass(frozen=True)
class Column:
    """A field of a resource's schema."""

    name: str
    type: str
    title: str
    description: str


@dataclass(frozen=True)
class ResourceDescription:
    """A resource: where its files are, its schema, its first rows."""

    name: str
    title: str
    description: str
    files: tuple[PackageLink, ...]
    columns: tuple[Column, ...]
    rows: Rows | None


@dataclass(frozen=True)
class PackageDescription:
    """A data package."""

    name: str
    title: str
    description: str
    licenses: tuple[PackageLink, ...]
    resources: tuple[ResourceDescription, ...]
    has_more: bool  # resources than these


def describe_package(storage: StorageBackend, folder: str) -> PackageDescription | None:
    """Return the data package in a folder of the storage (`committees/`); None when there is no descriptor in it."""
    text = storage.read(folder + DESCRIPTOR, MAX_DESCRIPTOR_BYTES)
    try:
        descriptor = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(descriptor, dict):
        return None
    resources = [each for each in _list(descriptor.get("resources")) if isinstance(each, dict)]
    until = time.monotonic() + PREVIEW_SECONDS
    found = tuple(_resource(storage, folder, each, until) for each in resources[:MAX_SHOWN_RESOURCES])
    given = descriptor.get("licenses") or descriptor.get("license")
    return PackageDescription(
        _text(descriptor.get("name")),
        _text(descriptor.get("title")),
        _text(descriptor.get("description")),
        tuple(filter(None, map(_license, given if isinstance(given, list) else [given]))),
        found,
        len(resources) > MAX_SHOWN_RESOURCES,
    )


def _resource(storage: StorageBackend, folder: str, given: Mapping[str, Any], until: float) -> ResourceDescription:
    paths = given.get("path")
    texts = [path for path in (paths if isinstance(paths, list) else [paths]) if isinstance(path, str)]
    schema = given.get("schema")
    fields = _list(schema.get("fields")) if isinstance(schema, dict) else []
    return ResourceDescription(
        _text(given.get("name")),
        _text(given.get("title")),
        _text(given.get("description")),
        tuple(_link(storage, folder, path, given if len(texts) == 1 else {}) for path in texts[:MAX_SHOWN_RESOURCES]),
        tuple(_column(each) for each in fields[:MAX_SHOWN_FIELDS] if isinstance(each, dict)),
        _rows(storage, folder, texts[0], given, until) if texts else None,
    )


def _link(storage: StorageBackend, folder: str, path: str, given: Mapping[str, Any]) -> PackageLink:
    """Return where a file of a resource is: below its package, or anywhere on the web."""
    if _is_below(path):
        size = storage.size(folder + path)
        known = given.get("bytes")
        is_known = size is None and isinstance(known, int) and 0 <= known < _MOST_BYTES
        return PackageLink(path, quote(f"./{path}"), known if is_known else size)
    return PackageLink(_text(path), _web(path))


def _rows(storage: StorageBackend, folder: str, path: str, given: Mapping[str, Any], until: float) -> Rows | None:
    format_ = _text(given.get("format")).lower() or PurePosixPath(path).suffix[1:].lower()
    if not _is_below(path) or not can_preview(format_) or time.monotonic() > until:
        return None
    data = storage.read(folder + path, PREVIEW_BYTES)
    if not data:
        return None
    return first_rows(data, format_, given, is_whole=len(data) < PREVIEW_BYTES, until=until)


def _is_below(path: str) -> bool:
    return not path.endswith("/") and "://" not in path and bool(split_path(path))


def _column(given: Mapping[str, Any]) -> Column:
    return Column(*(_text(given.get(key)) for key in ("name", "type", "title", "description")))


def _license(given: object) -> PackageLink | None:
    if isinstance(given, str):
        return PackageLink(_text(given), _web(given))
    if not isinstance(given, dict):
        return None
    url = next((each for key in ("path", "url") if isinstance(each := given.get(key), str)), "")
    text = _text(given.get("title")) or _text(given.get("name")) or _text(given.get("type")) or url
    return PackageLink(text, _web(url)) if text else None


def _web(url: str) -> str:
    """Return an address of the web; "" for any other, such as one that is a script."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return plain(url) if parts.scheme in ("http", "https") and parts.netloc else ""


def _list(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _text(given: object) -> str:
    return plain(str(given)[:MAX_SHOWN_TEXT]) if isinstance(given, str | int | float) else ""
