"""Rows of CSV files are read, validated, stripped and written as the packages do it: values, bytes, errors."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython
from tests.worker.runner.quick.values import AWKWARD_TEXTS, NESTED, PLAIN, TEXTS

KINDS = {
    "any": "x", "array": [1, "א"], "boolean": True, "date": datetime.date(1, 2, 3), "duration": datetime.timedelta(1),
    "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5, 6), "geojson": {}, "geopoint": (Decimal(1), Decimal("2.5")),
    "integer": 5, "number": Decimal("1.50"), "object": {"a": 1}, "string": "a, b", "time": datetime.time(1, 2, 3, 4),
    "year": 1999, "yearmonth": (2020, 1),
}  # fmt: skip
MISSING = st.sampled_from([[""], ["", "-", "NaN"], []])


@pytest.fixture(scope="module")
def files(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("files")


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Draw a schema and rows, most of them as they are after the first cast."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    fields: list[dict[str, object]] = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    if draw(st.integers(0, 3)) == 0:
        fields[0]["constraints"] = {"required": True}
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        usual = {f"f{number}": KINDS[kind] for number, kind in enumerate(kinds)}
        name = draw(st.sampled_from(sorted(usual)))
        changes: dict[str, object] = draw(
            st.sampled_from([{}, {name: None}, {name: ""}, {"more": 1}])
            | st.builds(lambda value, name=name: {name: value}, PLAIN | NESTED)
        )
        row = {**usual, **changes}
        if draw(st.integers(0, 9)) == 0:
            del row[name]
        rows.append(dict(reversed(row.items())) if draw(st.booleans()) else row)
    return {"fields": fields, "missingValues": draw(MISSING)}, rows


@settings(max_examples=100, deadline=None)
@given(tables(), st.sampled_from([None, "ignore", "drop", "clear"]), st.sampled_from([None, ["f0"], ["f0", "f2"]]))
def test_rows_are_validated_and_written_as_before(
    files: DppPython, table: tuple[dict[str, object], list[object]], on_error: str | None, names: list[str] | None
) -> None:
    schema, rows = table
    options = ({}, {"use_titles": True}, {"default_serializer": repr})
    cases = [("write", (schema, rows, each)) for each in options]
    cases += [("validate", (schema, rows, names, on_error)), ("write old", (schema, rows))]
    assert files.differences(cases) == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_value_is_written_as_before(files: DppPython, kind: str) -> None:
    schema = {"fields": [{"name": "f", "type": kind}]}
    rows = [{"f": value} for value in [*KINDS.values(), None, 1.5, 10**30, Decimal("1E+3"), *AWKWARD_TEXTS]]
    cases: list[object] = [("write", (schema, rows, {}))]
    cases += [("write old", (schema, [row])) for row in rows]
    cases += [("validate", (schema, [row], None, None)) for row in rows]
    assert files.differences(cases) == []


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(TEXTS, TEXTS.map(lambda text: text + " ") | PLAIN | NESTED, max_size=4), max_size=4))
def test_text_is_stripped_as_before(files: DppPython, rows: list[object]) -> None:
    assert files.differences([("strip", rows)]) == []


CELLS = st.sampled_from(["", "1", "a", " b ", "1.5", "2020-01-02", "שלום", '"', "x,y", "\r\n", "#", "<html"]) | TEXTS
OPTIONS = st.sampled_from(
    [
        {}, {}, {"headers": 1}, {"headers": 1, "ignore_blank_headers": True, "sample_size": 2}, {"headers": 2},
        {"headers": 1, "skip_rows": [{"type": "preset", "value": "auto"}], "sample_size": 1000},
        {"headers": 1, "skip_rows": [2, "#", {"type": "preset", "value": "blank"}]}, {"headers": 1, "skip_rows": [-1]},
        {"headers": 1, "limit_rows": 2}, {"headers": 1, "offset_rows": 1}, {"headers": 1, "force_strings": True},
        {"headers": 1, "delimiter": ";"}, {"headers": 1, "quotechar": ""}, {"headers": 1, "encoding": "ascii"},
        {"headers": 1, "ignore_listed_headers": ["a"]}, {"headers": ["a", "b"]}, {"headers": 1, "pick_rows": [2]},
    ]
)  # fmt: skip


def content(lines: list[list[str]]) -> bytes:
    """Return the lines as a file, quoted where needed by doubling."""
    quoted = [[f'"{cell}"' if set(cell) & set('",\r\n') else cell for cell in line] for line in lines]
    return "\n".join(",".join(line) for line in quoted).encode("utf-8", "surrogatepass")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=5), OPTIONS, st.booleans(), st.booleans())
def test_a_stream_is_read_as_before(
    files: DppPython, lines: list[list[str]], options: object, keyed: bool, extended: bool
) -> None:
    how = {"keyed": keyed, "extended": extended}
    texts = content([["a", "b", "a b"], *lines]), content(lines)
    assert files.differences([("read", (text, options, how, None)) for text in texts]) == []


SCHEMAS = [
    {"fields": [{"name": "a"}, {"name": "b"}]},
    {"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "string"}]},
    {"fields": [{"name": "a", "type": "date"}, {"name": "b", "type": "number", "constraints": {"unique": True}}]},
    {"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "any"}], "primaryKey": ["a"]},
    {"fields": [{"name": "a"}]},
]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["1", "", "2", "x", "2020-01-02"]), min_size=2, max_size=2), max_size=5),
    st.sampled_from(SCHEMAS),
    st.sampled_from([{}, {"keyed": True}, {"keyed": True}, {"extended": True}, {"keyed": True, "cast": False}]),
    st.sampled_from([[], [], [["3"]], [["1", "2", "3"]]]),
    st.sampled_from([{}, {}, {"quoting": 2}, {"quotechar": ""}]),
)
def test_a_table_is_read_as_before(
    files: DppPython, lines: list[list[str]], schema: object, how: object, more: list[list[str]], options: object
) -> None:
    text = content([["a", "b"], *lines, *more, *lines])
    assert files.differences([("read", (text, options, how, schema))]) == []


def test_a_file_that_is_no_text_is_told_as_before(files: DppPython) -> None:
    for text in (b"a,b\n1,\xff\n", b"a,b\n" + b"1,2\n" * 5000 + b"\xff\xfe\n", b"", b"\n", b"a,b\n\x00,1\n", b'a\n"x'):
        for schema in (None, SCHEMAS[0]):
            options = {"encoding": "utf-8"} if schema else {"encoding": "utf-8", "headers": 1}
            assert files.differences([("read", (text, options, {"keyed": True}, schema))]) == []


def test_numbers_that_csv_reads_itself_are_cast_as_before(files: DppPython) -> None:
    text = b'"a","b"\n1,"x"\n2.5,"y"\n'
    cases = [("read", (text, {"quoting": 2}, {"keyed": True}, schema)) for schema in SCHEMAS]
    assert files.differences(cases) == []
