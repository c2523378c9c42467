"""A chart's values as three places tell of them: `values.yaml` and its comments, the schema, the README's table."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HEAD = "| value | default | what it is |\n|---|---|---|\n"


@dataclass(frozen=True)
class Value:
    """One row: a value that has a comment `# -- …` above it, or a part of one that has."""

    path: tuple[str, ...]
    default: Any
    text: str

    @property
    def row(self) -> str:
        return f"| `{'.'.join(self.path)}` | `{json.dumps(self.default)}` | {self.text} |\n"


def documented(chart: Path) -> list[Value]:
    """In the order of the file."""
    text = (chart / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    found: list[Value] = []
    path: list[str] = []
    comment = ""
    for line in text.splitlines():
        if match := re.match(r" *# -- (.*)", line):
            comment = match[1]
        elif match := re.match(r"( *)([A-Za-z]\w*):", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if comment:
                default = defaults
                for key in path:
                    default = default[key]
                found.append(Value(tuple(path), default, comment))
            comment = ""
    return found


def table(chart: Path) -> str:
    """What the README's table has to be."""
    return HEAD + "".join(value.row for value in documented(chart))


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all values that are no mapping, or an empty one."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def known(schema: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Does the schema name this value?"""
    for key in path:
        if key not in schema.get("properties", {}):
            return schema.get("additionalProperties", True) is not False
        schema = schema["properties"][key]
    return True
