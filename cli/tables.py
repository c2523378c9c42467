"""Tables for people, by rich: it knows how wide the terminal is, NO_COLOR, and letters from right to left."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from bot.output import one_line
from cli.output_options import console

_CELL_CHARACTERS = 200  # of a text in a table; JSON has all of it
_WIDE = 10_000  # columns of a table that is not on a terminal, so that no line is folded


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print rows, of which there is one at least; columns: headings, each with its key in the rows."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, key in columns.items():
        is_number = all(
            isinstance(row.get(key), int | float | None) and not isinstance(row.get(key), bool) for row in rows
        )
        table.add_column(heading.upper(), justify="right" if is_number else "left", overflow="fold")
    now = datetime.now(UTC)
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key), now)) for key in columns.values()))
    console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _cell(value: object, now: datetime) -> str:
    """Return a value as a table has it; of a time how long ago it was, or when it will be."""
    match value:
        case None:
            return ""
        case True | False:
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return one_line(", ".join(map(str, value)), _CELL_CHARACTERS)
    time = _time(value) if isinstance(value, str) else None
    if time is None:
        return one_line(_plain(str(value)), _CELL_CHARACTERS)
    from cluster.local import durations

    seconds = (now - time).total_seconds()
    return f"{durations.short(seconds)} ago" if seconds >= 0 else f"in {durations.short(-seconds)}"


def _plain(text: str) -> str:
    """Return a text, of a branch's or tag's full name the short one."""
    if not text.startswith("refs/"):
        return text
    from bot.model.names import short  # with pydantic, which a run on this machine does without

    return short(text)


def _time(text: str) -> datetime | None:
    """Return the time that an ISO text with its zone is; None: it is none."""
    if len(text) < len("2026-01-01T00:00+00:00") or text[4:5] != "-" or "T" not in text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
