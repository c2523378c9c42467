"""Writes rows to a table with tableschema-sql's own code and with the quick one, one after the other."""

import os
from typing import Any

import sqlalchemy
import tableschema_sql.mapper
import tableschema_sql.storage
import tableschema_sql.writer
from dppctl_hooks.batches import RowBatches, in_batches
from dppctl_hooks.quick import profiles, sql, sql_batches

from tests.support.quick.comparing import loaded_again, outcome, serve

BEFORE: Any = loaded_again(tableschema_sql.storage)
BEFORE.Mapper = loaded_again(tableschema_sql.mapper).Mapper
BEFORE.Writer = loaded_again(tableschema_sql.writer).Writer
written_quickly = 0


def compare(case: Any) -> Any:
    """Return what differs for (schema, rows, how) beside the number of quick batches.

    how: `update_keys`, `indexes`, `before` (SQL that is run first) and `create` (False: the table is there).
    """
    answers, counts = [], []
    for storage, source in ((BEFORE, iter), (tableschema_sql.storage, iter), (tableschema_sql.storage, _batches)):
        engine = sqlalchemy.create_engine(os.environ["TEST_DATABASE"])
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS rows")
            for statement in case[2].get("before", []):
                connection.exec_driver_sql(statement)
        global written_quickly
        written_quickly = 0
        written = outcome(_write, storage.Storage, engine, case, source)
        with engine.connect() as connection:
            table = sqlalchemy.inspect(engine).has_table("rows")
            content = [list(row) for row in connection.exec_driver_sql("SELECT * FROM rows")] if table else None
        engine.dispose()
        answers.append((written, repr(content)))
        counts.append(written_quickly)
    different = answers if any(answer != answers[0] for answer in answers) else []
    return [counts[1] if counts[1] == counts[2] else counts, different]


def _batches(rows: Any) -> Any:
    return RowBatches.of(in_batches(rows, 2))


def _write(storage_class: Any, engine: Any, case: Any, source: Any) -> Any:
    schema, rows, how = case
    storage = storage_class(engine, prefix="rows")
    if how.get("create", True):
        storage.create("", schema, indexes_fields=how.get("indexes"))
    else:
        storage.describe("", schema)
    rows = [dict(row) for row in rows]
    written = storage.write(
        "", source(rows), keyed=True, as_generator=True, update_keys=how.get("update_keys"), buffer_size=3
    )
    if how.get("in_batches") and source is _batches:
        assert type(written) is sql_batches.WrittenRows
    return [(list(row.row.items()), *row[1:]) for row in written]


def _count(function: Any) -> Any:
    def counted(*arguments: Any) -> Any:
        global written_quickly
        result = function(*arguments)
        written_quickly += bool(result)
        return result

    return counted


if __name__ == "__main__":
    assert sql.applies() is None, sql.applies()
    sql.install()  # tableschema-sql is imported already
    profiles.install()  # for both, as in `steps`
    sql._written = _count(sql._written)
    serve(compare)
