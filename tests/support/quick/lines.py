"""Writes and reads lines with dpp's codec and with the quick one."""

from typing import Any

from datapackage_pipelines.utilities import extended_json
from dppctl_hooks import lines

from tests.support.quick.comparing import loaded_again, outcome, serve

BEFORE = loaded_again(extended_json)


def compare(value: Any) -> Any:
    """Return the outcomes that differ for a row, or for the text of a line."""
    if isinstance(value, str):
        pairs = [[outcome(_read, json, value)] for json in (BEFORE.json, extended_json.json)]
    else:
        pairs = [[outcome(_written, module, value), outcome(_changed, module, value)] for module in MODULES]
        text = pairs[0][0][1]
        if pairs[0][0][0] == "str":
            for pair, module in zip(pairs, MODULES, strict=True):
                pair.append(outcome(_read, module.json, eval(text)))
    return [] if pairs[0] == pairs[1] else pairs


MODULES = (BEFORE, extended_json)


def _written(module: Any, row: Any) -> Any:
    return module.json.dumpl(row, sort_keys=True, ensure_ascii=True)


def _changed(module: Any, row: Any) -> Any:
    """Write a row of a processor that came as a line, and then got these values."""
    line = module.json.loadl('{"a": {"type{date}": "2020-02-29"}, "b": 1}')
    for key, value in row.items():
        line[key] = value
    return _written(module, line)


def _read(json: Any, text: str) -> Any:
    value = json.loads(text)
    lazy = json.loadl(text)
    return value, lazy.inner if hasattr(lazy, "inner") else lazy


if __name__ == "__main__":
    assert lines.applies() is None, lines.applies()
    lines.install()
    serve(compare)
