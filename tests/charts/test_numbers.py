"""Whole numbers go through the charts as whole numbers: helm reads them as floating ones, and prints 1e+06."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.charts.apps import EVERYTHING, bot_values
from tests.support.charts.dppctl import ALL
from tests.support.charts.dppctl import CHART as SERVERS
from tests.support.charts.rendering import CHART, template

pytestmark = pytest.mark.needs("helm")
LARGE = 1234567


def numbers(schema: dict[str, Any], root: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The values of a schema that may be whole numbers as large."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    if "integer" in ([kinds] if isinstance(kinds, str) else kinds) and schema.get("maximum", LARGE) >= LARGE:
        yield path
    for name, below in schema.get("properties", {}).items():
        yield from numbers(below, root, (*path, name))


def of(path: tuple[str, ...]) -> dict[str, Any]:
    content: Any = LARGE
    for name in reversed(path):
        content = {name: content}
    return dict(content)


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize("chart", [CHART, SERVERS], ids=lambda chart: chart.name)
def test_every_number_of_the_schema_is_rendered_whole(tmp_path: Path, chart: Path, major: int) -> None:
    schema = json.loads((chart / "values.schema.json").read_text())
    found = list(numbers(schema, schema))
    assert found
    values = (bot_values(), EVERYTHING) if chart is CHART else (ALL,)
    text = template(tmp_path, *values, *(of(path) for path in found), chart=chart, major=major)
    assert text.returncode == 0, text.stderr
    assert not re.findall(r".*\d[.\d]*e\+\d.*", text.stdout)
    assert str(LARGE) in text.stdout
