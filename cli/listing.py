"""What commands list: a table on a terminal, JSON where it is piped, or as `--output` says."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from bot.model.names import short
from bot.output import for_terminal, one_line
from cli.output_options import console, say

Row = Mapping[str, Any]
_CELL_CHARACTERS = 200  # of a text in a table; JSON has all of it
_WIDE = 10_000  # columns of a table that is not on a terminal, so that no line is folded


def output_option(*more: str) -> Callable[[Any], Any]:
    """Return the option that says how a list is printed; `more`: other ways that this one has."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", "name", *more]),
        show_default="table on a terminal, else json",
        help="How to print it; name: what other commands take, a line each.",
    )


OUTPUT_OPTION = output_option()


def chosen_output(output: str | None) -> str:
    """Return how to print a list: as somebody asked for, else as fits where it goes."""
    return output or ("table" if sys.stdout.isatty() else "json")


def show(
    rows: Sequence[Row],
    output: str | None,
    *,
    columns: Mapping[str, str],
    name: Callable[[Row], str],
    empty: str,
    as_json: Callable[[Sequence[Row]], str] | None = None,
) -> None:
    """Print rows as somebody asked for, or as fits where they go.

    columns: headings of the table, each with its key in the rows; name: what identifies a row; empty: what the table
    says without rows, and what to do; as_json: their JSON, where that has a form of its own.
    """
    match chosen_output(output):
        case "json":
            click.echo((as_json or _json)(rows))
        case "yaml":
            click.echo(yaml_text([dict(row) for row in rows]), nl=False)
        case "name":
            for row in rows:
                click.echo(for_terminal(name(row)))
        case _ if rows:
            _table(rows, columns)
        case _:
            say(empty)


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=1, ensure_ascii=False)


def yaml_text(document: object) -> str:
    """Return a document as YAML, in its own order."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> None:
    """Print a table by rich, which knows how wide the terminal is, NO_COLOR, and letters from right to left."""
    from rich.table import Table
    from rich.text import Text

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
        return one_line(short(str(value)), _CELL_CHARACTERS)
    from cluster.local import durations

    seconds = (now - time).total_seconds()
    return f"{durations.short(seconds)} ago" if seconds >= 0 else f"in {durations.short(-seconds)}"


def _time(text: str) -> datetime | None:
    """Return the time that an ISO text with its zone is; None: it is none."""
    if len(text) < len("2026-01-01T00:00+00:00") or text[4:5] != "-" or "T" not in text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
