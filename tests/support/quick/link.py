"""Takes rows over the link between two steps of a lane, and over dpp's own lines of JSON."""

from importlib import import_module
from typing import Any

from tests.support.quick.comparing import outcome, serve

extended_json = import_module("datapackage_pipelines.utilities.extended_json")
link = import_module("dppctl_hooks.link")


def by_lines(row: Any) -> Any:
    """Return the row as the next process reads it."""
    line = extended_json.json.dumpl(row, sort_keys=True, ensure_ascii=True)
    return list(extended_json.json.loadl(line).items())


def by_link(row: Any) -> Any:
    """Return the row as the next step of a lane reads it."""
    return list(linked.hop(row).items())


def difference(row: Any) -> Any:
    """Return what is unlike: the items of a row, their order and types, or the error; and whether it was changed."""
    before = repr(row)
    found, expected = outcome(by_link, row), outcome(by_lines, row)
    unlike = [] if found == expected else [found, expected]
    return unlike + ([repr(row)] if repr(row) != before else [])


if __name__ == "__main__":
    linked = link.Link()
    serve(difference)
