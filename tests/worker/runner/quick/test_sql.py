"""Batches by COPY and by the driver leave the tables, rows and errors that SQLAlchemy's INSERT leaves."""

import datetime
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.local.databases import postgres
from tests.support.quick.comparing import DppPython
from tests.worker.runner.quick.values import AWKWARD_TEXTS

TYPES = [
    "any", "array", "boolean", "date", "datetime", "duration", "geojson", "geopoint", "integer", "number", "object",
    "string", "time", "year", "yearmonth",
]  # fmt: skip
SCHEMA = {"fields": [{"name": f"f {kind} %(a)s", "type": kind} for kind in TYPES] + [{"name": "id", "type": "integer"}]}
DAY = datetime.datetime(1, 1, 1, 23, 59, 59, 5)
USUAL = {
    "any": "x", "array": [1, None, "א"], "boolean": True, "date": DAY.date(), "datetime": DAY, "geojson": {},
    "duration": datetime.timedelta(days=1), "geopoint": "34.8,32.1", "integer": 5, "number": Decimal("1.50"), "year": 1,
    "object": {"a": [1.5]}, "string": "שלום\n\t\\N", "time": DAY.time(), "yearmonth": "2020-01",
}  # fmt: skip
AWKWARD: dict[str, list[object]] = {
    "integer": [2**31, -(2**31) - 1, "x", True, "7"], "number": [Decimal("NaN"), Decimal("Infinity"), 10**40, 1.1],
    "datetime": [DAY.replace(year=2020, tzinfo=datetime.UTC), "x"], "time": [DAY.time().replace(tzinfo=datetime.UTC)],
    "object": [{}, {"a": "\0"}, [], None], "array": [[], [float("nan")]], "string": [*AWKWARD_TEXTS, 5],
    "boolean": ["true", 2], "date": [DAY, "2020-01-01"], "year": [-1, "2020"], "any": [5, [1]],
}  # fmt: skip


def row(number: int, /, **changed: object) -> dict[str, object]:
    return {"id": number, **{f"f {kind} %(a)s": changed.get(kind, USUAL[kind]) for kind in TYPES if kind != "geojson"}}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("PostgreSQL"))])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("database")
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'rows.sqlite'}"
        return
    data = postgres.scratch(folder)
    server = postgres.start(data)
    yield f"postgresql://{postgres.USER}:{server.password}@127.0.0.1:{server.port}/postgres"
    server.stop()
    shutil.rmtree(data)


@pytest.fixture(scope="module")
def sql(dpp_python: Callable[..., DppPython], database: str) -> DppPython:
    return dpp_python("sql", TEST_DATABASE=database)


def differ(sql: DppPython, rows: list[dict[str, object]], **how: Any) -> tuple[int, object]:
    batches, different = sql.differences((how.pop("schema", SCHEMA), rows, how))
    return batches, different


def test_usual_rows_are_written_quickly_and_the_same(sql: DppPython) -> None:
    rows = [row(number) for number in range(8)] + [row(9, **dict.fromkeys(TYPES))]
    assert differ(sql, rows) == (2, [])
    indexes = [["id"], ["id", "f string %(a)s"]]
    assert differ(sql, rows, indexes=[indexes]) == (2, [])


@pytest.mark.parametrize("position", [0, 4, 7])
def test_a_bad_row_at_any_place_fails_as_before(sql: DppPython, position: int) -> None:
    for bad in ({"integer": 2**31}, {"string": "\0"}, {"integer": "x"}, {"string": "\ud800"}):
        rows = [row(number) for number in range(8)]
        rows[position] = row(position, **bad)
        assert differ(sql, rows)[1] == []
    unequal = [row(number) for number in range(8)]
    unequal[position]["more"] = 1
    assert differ(sql, unequal)[1] == []
    del unequal[position]["more"], unequal[position]["id"]
    assert differ(sql, unequal)[1] == []


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_awkward_values_are_written_or_refused_as_before(sql: DppPython, data: st.DataObject) -> None:
    rows = [row(number) for number in range(5)]
    for kind in data.draw(st.lists(st.sampled_from(sorted(AWKWARD)), min_size=1, max_size=3)):
        place = data.draw(st.integers(0, 4))
        rows[place][f"f {kind} %(a)s"] = data.draw(st.sampled_from(AWKWARD[kind]))
    assert differ(sql, rows)[1] == []


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_batches_of_rows_are_written_or_refused_as_the_rows_are(sql: DppPython, data: st.DataObject) -> None:
    kinds = ["boolean", "date", "datetime", "integer", "number", "string"]
    schema = {"fields": [{"name": kind, "type": kind} for kind in kinds]}
    rows: list[dict[str, object]] = [{kind: USUAL[kind] for kind in kinds} for _ in range(9)]
    for kind in data.draw(st.lists(st.sampled_from(kinds), max_size=3)):
        rows[data.draw(st.integers(0, 8))][kind] = data.draw(st.sampled_from([*AWKWARD[kind], None, ""]))
    assert differ(sql, rows, schema=schema, in_batches=True)[1] == []


def test_keys_updates_and_tables_that_are_there_are_as_before(sql: DppPython, database: str) -> None:
    schema = {"fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}], "primaryKey": ["id"]}
    rows: list[dict[str, object]] = [{"id": number, "name": f"n{number}"} for number in range(8)]
    doubled = [*rows, {"id": 3, "name": "again"}, {"id": 20, "name": "last"}]
    assert differ(sql, doubled, schema=schema)[1] == []
    assert differ(sql, doubled, schema=schema, update_keys=["id"])[1] == []
    simple = {"fields": schema["fields"]}
    tables = {
        "id INTEGER, name VARCHAR(3), more INTEGER DEFAULT 7": "n",
        "id BIGINT PRIMARY KEY, name TEXT CHECK (name <> 'n5')": "n",
        "id REAL, name TEXT": "n",
        "id INTEGER REFERENCES rows_above(id), name TEXT": "INSERT INTO rows_above VALUES (1)",
    }
    above = ["DROP TABLE IF EXISTS rows", "DROP TABLE IF EXISTS rows_above"]
    for columns, more in tables.items():
        before = [*above, "CREATE TABLE rows_above (id INTEGER PRIMARY KEY)", f"CREATE TABLE rows ({columns})"]
        before += [more] if more != "n" else []
        assert differ(sql, rows, schema=simple, create=False, before=before)[1] == [], columns
    if database.startswith("postgresql"):
        rule = "CREATE RULE none AS ON INSERT TO rows DO INSTEAD NOTHING"
        before = [*above, "CREATE TABLE rows (id INTEGER, name TEXT)", rule]
        assert differ(sql, rows, schema=simple, create=False, before=before) == (0, [])
