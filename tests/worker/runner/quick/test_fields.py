"""Values are cast as tableschema casts them: the value, its type, or the very error."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython
from tests.worker.runner.quick.values import AWKWARD_TEXTS, NESTED, PLAIN, TEXTS

TYPES = [
    "any", "array", "boolean", "date", "datetime", "duration", "geojson", "geopoint", "integer", "number", "object",
    "string", "time", "year", "yearmonth",
]  # fmt: skip
FORMATS: dict[str, list[str | None]] = {
    "date": ["default", "any", "%Y-%m-%d", "%d/%m/%Y", "%d%m%Y", "%d %m %y", "fmt:%Y-%m-%d", "%m/%d", "%%",
             "%Y-%m-%d %H"],
    "datetime": ["default", "any", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S.%f"],
    "time": ["default", "any", "%H:%M", "%H", "%M:%S", "%Y %H"],
    "string": ["default", "uri", "email", "uuid", "binary", None],
    "geopoint": ["default", "array", "object"],
    "geojson": ["default", "topojson"],
}  # fmt: skip
LIKELY = {
    "integer": st.integers().map(str) | st.floats(allow_nan=False) | st.just(Decimal("5.0")),
    "number": st.decimals().map(str) | st.sampled_from(["1,000.5", "1 000", "5%", "$5"]),
    "boolean": st.sampled_from(["true", " TRUE ", "yes", "no", "0", 1, 0]),
    "date": st.dates().map(str) | st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
    "datetime": st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")) | st.datetimes().map(str),
    "time": st.times().map(lambda at: at.strftime("%H:%M:%S")),
    "year": st.integers(-1, 10001),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, object], list[object]]:
    fields, row = [], []
    for name in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        kind = draw(st.sampled_from(TYPES))
        field: dict[str, object] = {"name": name, "type": kind}
        field["format"] = draw(st.sampled_from(FORMATS.get(kind, ["default"])))
        if kind in ("integer", "number"):
            field.update(draw(st.sampled_from([{}, {"bareNumber": False}, {"groupChar": ",", "decimalChar": "."}])))
            field.update(draw(st.sampled_from([{}, {}, {"constraints": {"minimum": "5", "required": True}}])))
        if kind == "boolean":
            field.update(draw(st.sampled_from([{}, {"trueValues": ["yes"], "falseValues": ["no", ""]}])))
        if kind == "string":
            field["constraints"] = draw(
                st.sampled_from(
                    [{}, {}, {"required": True}, {"enum": ["1", "a"]}, {"pattern": "[a-z]+", "maxLength": 3}]
                )
            )
        fields.append(field)
        row.append(draw(LIKELY.get(kind, TEXTS) | PLAIN | NESTED | st.sampled_from(AWKWARD_TEXTS)))
    missing = draw(st.sampled_from([[""], [], ["", "NaN", "-"], ["", None], [1]]))
    return {"fields": fields, "missingValues": missing}, row


@pytest.fixture(scope="module")
def fields(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("fields")


@settings(max_examples=120, deadline=None)
@given(cases())
def test_rows_and_values_are_cast_as_before(fields: DppPython, case: object) -> None:
    assert fields.differences(case) == []


@pytest.mark.parametrize("kind", TYPES)
def test_every_awkward_text_is_cast_as_before(fields: DppPython, kind: str) -> None:
    values = [*AWKWARD_TEXTS, date(2020, 2, 29), datetime(2020, 2, 29), datetime(2020, 2, 29, 1), True, 5, 5.5]
    for form in FORMATS.get(kind, ["default"]):
        names = [f"f{number}" for number in range(len(values))]
        schema = {"fields": [{"name": name, "type": kind, "format": form} for name in names]}
        assert fields.differences((schema, values)) == [], form
