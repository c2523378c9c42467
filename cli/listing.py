"""What commands list: a table on a terminal, JSON where it is piped, or as `--output` says."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from bot.output import for_terminal
from cli.output_options import say

Row = Mapping[str, Any]


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
            from cli.tables import print_table

            print_table(rows, columns)
        case _:
            say(empty)


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=1, ensure_ascii=False)


def yaml_text(document: object) -> str:
    """Return a document as YAML, in its own order."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
