"""The first rows of a file with data, read from its first bytes: CSV, or JSON lines."""

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bot.model.receipt import plain
from cluster.storage.limits import PREVIEW_COLUMNS, PREVIEW_ROWS, PREVIEW_TEXT

_LINES = ("ndjson", "jsonl", "jsonlines")


@dataclass(frozen=True)
class Rows:
    """The first rows: each as long as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def can_preview(format_: str) -> bool:
    """Return whether rows of this format (`csv`, `ndjson` …) can be shown."""
    return format_ in ("csv", "tsv", *_LINES)


def first_rows(data: bytes, format_: str, resource: Mapping[str, Any], *, is_whole: bool, until: float) -> Rows | None:
    """Return the first rows of a file that begins with `data`; None: there are none, or it is something else.

    `resource`: its descriptor, for `encoding` and `dialect`; `until`: when to stop, by the monotonic clock.
    """
    text = _decode(data, resource.get("encoding"))
    if not is_whole:
        text = text.rpartition("\n")[0]  # the last line is not all there
    found = _of_lines(text) if format_ in _LINES else _of_csv(text, format_, resource.get("dialect"))
    rows: list[Sequence[str]] = []
    try:
        for row in islice(found, PREVIEW_ROWS + 1):
            rows.append(row[:PREVIEW_COLUMNS])
            if time.monotonic() > until:
                break
    except (csv.Error, ValueError, RecursionError):
        pass  # what came before it is shown
    if not rows:
        return None
    header = tuple(rows[0])
    return Rows(header, tuple((*row, *[""] * len(header))[: len(header)] for row in rows[1:]))


def _decode(data: bytes, encoding: object) -> str:
    try:
        return data.decode(encoding if isinstance(encoding, str) else "utf-8-sig", errors="replace")
    except (LookupError, ValueError):
        return data.decode("utf-8-sig", errors="replace")


def _of_csv(text: str, format_: str, dialect: object) -> Iterator[list[str]]:
    """Yield the header and the rows."""
    given = dialect if isinstance(dialect, dict) else {}
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=_mark(given.get("delimiter"), "\t" if format_ == "tsv" else ","),
        quotechar=_mark(given.get("quoteChar"), '"'),
    )
    if given.get("header") is False:
        first = next(reader, [])
        yield [f"{number}" for number, _ in enumerate(first, 1)]
        yield _short(first)
    for row in reader:
        if row:
            yield _short(row)


def _of_lines(text: str) -> Iterator[list[str]]:
    """Yield the keys of the first object, and the values of all."""
    keys: list[str] | None = None
    for line in text.splitlines():
        if not line.strip():
            continue
        row = json.loads(line)
        if isinstance(row, list):
            row = {str(number): value for number, value in enumerate(row, 1)}
        if not isinstance(row, dict):
            return
        if keys is None:
            keys = list(row)
            yield _short(keys)
        yield _short([_text(row.get(key)) for key in keys])


def _mark(given: object, default: str) -> str:
    return given if isinstance(given, str) and len(given) == 1 and given not in "\r\n" else default


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(row: Sequence[str]) -> list[str]:
    return [plain(cell) if len(cell) <= PREVIEW_TEXT else f"{plain(cell[:PREVIEW_TEXT])}…" for cell in row]
