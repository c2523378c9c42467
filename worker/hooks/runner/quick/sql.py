"""Writes rows to SQL tables as tableschema-sql does: the same batches and rows, by COPY or the driver's executemany.

A batch that PostgreSQL does not take by COPY is undone (a savepoint) and inserted by SQLAlchemy, whose error it then
is. Tables and values for which COPY and INSERT could differ are inserted by SQLAlchemy from the beginning.
"""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..batches import Columns
from . import copy_text, sql_batches
from .known import unknown
from .rows import RowCaster

WRITER_FILES = {
    "tableschema_sql/mapper.py": "e00bacb80de591d12690038cbe7b592a54d21730dd588755d6b121c3722b4bbd",
    "tableschema_sql/writer.py": "cdfd56ddff1f32a4e7c89c671ade5267efffd2575249420b024fbe1299b9e04f",
    "tableschema_sql/storage.py": "da2178da3b616df2302bcff4a8024ab1c7d4919333d7b1ecc0edd58ef328ba59",
}
SQLALCHEMY_FILES = {
    "sqlalchemy/engine/base.py": "42ff14ba750dd783f85a848eaee14aa722fed2a45859abac9052394bdea530ab",
    "sqlalchemy/engine/default.py": "bb8875d5c25a724b99f8898e8a7bf825b4938a24063b723a126f62f0b8cbecbf",
    "sqlalchemy/sql/compiler.py": "c15297fc9bf14e5225160a1339e1a1fc53f970a65034510d0e66d1eff4d40507",
    "sqlalchemy/dialects/postgresql/psycopg.py": "0cc8dfbfc34041c8b56852c7e6b82abefe6d75f1a9763be5b73d27fe6215ce3f",
    "sqlalchemy/dialects/postgresql/_psycopg_common.py": (
        "ddbb68385a807059a479cb4d135560b3b70ebf871c176f312106480c46303960"
    ),
}
PLAIN_TABLE = (
    "SELECT relkind = 'r' AND NOT relhasrules AND NOT relhastriggers AND NOT relrowsecurity"
    " FROM pg_class WHERE oid = to_regclass(%s)"
)


class UnusualTableError(Exception):
    """SQLAlchemy is to insert this batch."""


def applies() -> Optional[str]:
    """Return None, or why rows are written as ever."""
    return unknown("tableschema-sql 2.0.1", WRITER_FILES) or unknown("SQLAlchemy 2.1.9", SQLALCHEMY_FILES)


def install() -> None:
    """Change how tableschema-sql converts rows and inserts them, now or when it is imported."""
    if "tableschema_sql.storage" in sys.modules:
        _extend()
    else:
        sys.meta_path.insert(0, _StorageFinder())


class _StorageFinder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(name, path, target) if name == "tableschema_sql.storage" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_extend(module: Any) -> None:
            execute(module)
            _extend()

        spec.loader.exec_module = execute_and_extend  # type: ignore[method-assign]
        return spec


def _extend() -> None:
    mapper = import_module("tableschema_sql.mapper")
    writer = import_module("tableschema_sql.writer")
    convert_row, insert = mapper.Mapper.convert_row, writer.Writer._Writer__insert

    def quick_convert_row(self: Any, keyed_row: Any, schema: Any, fallbacks: Any) -> Any:
        try:
            caster, casts = _casts(schema, fallbacks, mapper._uncast_value)
            if caster is not None and caster.leaves(keyed_row):
                return keyed_row
            converted = {key: casts[key](value) for key, value in keyed_row.items()}
        except Exception:  # noqa: BLE001 - the original says what is wrong, if anything is
            converted = None
        if converted is None:
            return convert_row(self, keyed_row, schema, fallbacks)
        for key, value in converted.items():
            keyed_row[key] = value
        return keyed_row

    def quick_insert(self: Any, connection: Any) -> Iterator[Any]:
        buffer = self._Writer__buffer
        columns = None if self._Writer__autoincrement or len(buffer) < 2 else _columns_of(buffer)
        if columns is None or not _written(self, connection, columns):
            yield from insert(self, connection)
            return
        for row in buffer:
            yield writer.WrittenRow(row, False, None)
        self._Writer__buffer = []

    mapper.Mapper.convert_row = quick_convert_row
    writer.Writer._Writer__insert = quick_insert
    sql_batches.change_writer(writer, mapper.Mapper, lambda *given: _written(*given))


def _casts(schema: Any, fallbacks: Any, uncast: Any) -> Tuple[Optional[RowCaster], Dict[str, Callable[[Any], Any]]]:
    """Return what tells rows that stay as they are, and what is done to each field's value; kept with the schema."""
    kept = schema.__dict__.get("_quick_sql")
    if kept is None or kept[0] is not schema.fields or kept[1] is not fallbacks:
        casts: Dict[str, Callable[[Any], Any]] = {}
        for field in schema.fields:
            text = (lambda value, field=field: uncast(value, field=field)) if field.name in fallbacks else None
            casts.setdefault(field.name, text or field.cast_value)
        caster = None if fallbacks else RowCaster(schema.fields)
        schema.__dict__["_quick_sql"] = kept = (schema.fields, fallbacks, (caster, casts))
    return kept[2]  # type: ignore[no-any-return]


def _columns_of(buffer: List[Any]) -> Optional[Columns]:
    """Return rows as columns, None when they have not the same keys."""
    try:
        plain = [row if type(row) is dict else row.inner for row in buffer]
        keys = plain[0].keys()
        if any(map(keys.__ne__, map(dict.keys, plain))):
            return None
        return {key: [row[key] for row in plain] for key in keys}
    except Exception:  # noqa: BLE001 - SQLAlchemy says what is wrong, if anything is
        return None


def _written(writer: Any, connection: Any, columns: Columns) -> bool:
    """Write this batch and return True; or return False, and nothing has happened."""
    dialect = connection.dialect
    try:
        if connection._has_events or connection.engine._has_events or dialect._has_events:
            return False
        statement = _statement(writer, connection, columns.keys())
        values = statement.values(columns)
        content = statement.copied(values) if dialect.name == "postgresql" else None
    except Exception:  # noqa: BLE001 - SQLAlchemy says what is wrong, if anything is
        return False
    if dialect.name == "postgresql":
        return _copied(writer, connection, statement, values, content)
    connection.exec_driver_sql(statement.text, list(zip(*values)))
    return True


def _statement(writer: Any, connection: Any, keys: Any) -> Any:
    """Return the statement for rows with these keys, kept with the writer."""
    kept = writer.__dict__.setdefault("_quick_statements", {})
    name = tuple(sorted(keys))
    if name not in kept:
        kept[name] = _Statement(writer._Writer__table, connection.dialect, list(name))
    return kept[name]


class _Statement:
    """SQLAlchemy's own INSERT into a table and how it changes values; raises UnusualTableError if it is not plain."""

    def __init__(self, table: Any, dialect: Any, keys: List[str]) -> None:
        compiled = table.insert().compile(dialect=dialect, column_keys=keys, for_executemany=True)
        if compiled.insert_prefetch or compiled.literal_execute_params or compiled.post_compile_params:
            raise UnusualTableError
        self.text = compiled.string
        if dialect.name == "sqlite":
            self.columns = list(compiled.positiontup)
            write_of: Callable[[Any], Any] = _no_writer
        elif (dialect.name, dialect.driver) == ("postgresql", "psycopg"):
            self.columns = keys
            write_of = copy_text.writers()
            preparer = dialect.identifier_preparer
            self.table = preparer.format_table(table).replace("%%", "%")  # they are doubled for parameters
            names = ", ".join(preparer.format_column(table.c[key]) for key in keys).replace("%%", "%")
            self.copy = f"COPY {self.table} ({names}) FROM STDIN"
        else:
            raise UnusualTableError
        if sorted(self.columns) != keys or sorted(compiled.binds) != keys:
            raise UnusualTableError
        processors = compiled._bind_processors
        self._processors = [(key, processors.get(key)) for key in self.columns]
        self._writers = [write_of(table.c[key]) for key in self.columns]
        self._is_text = all(write is not None and write([]) is not None for write in self._writers)

    def values(self, columns: Columns) -> List[Sequence[Any]]:
        """Return the columns with values as the driver gets them; raises anything for unusual ones."""
        return [
            columns[key] if process is None else [process(value) for value in columns[key]]
            for key, process in self._processors
        ]

    def copied(self, by_column: List[Sequence[Any]]) -> Optional[Iterator[str]]:
        """Return what COPY reads, None when psycopg is to write the rows; both raise anything for unusual values."""
        if self._is_text:
            return copy_text.lines(self._writers, by_column)
        for write, column in zip(self._writers, by_column):
            write(column)
        return None


def _no_writer(_column: Any) -> Any:
    return None


def _copied(
    writer: Any, connection: Any, statement: Any, values: List[Sequence[Any]], content: Optional[Iterator[str]]
) -> bool:
    """Write rows by COPY, all of them or none, and return whether they are written.

    values: the rows by columns; content: what COPY reads for them, None when psycopg is to write it.
    """
    known = writer.__dict__
    if known.get("_quick_plain") is False:
        return False
    savepoint = connection.begin_nested()
    try:
        if "_quick_plain" not in known:
            known["_quick_plain"] = connection.exec_driver_sql(PLAIN_TABLE, (statement.table,)).scalar() is True
        if not known["_quick_plain"]:
            raise UnusualTableError
        driver = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(statement.copy) as copy:
            if content is not None and driver.info.encoding == "utf-8":
                for lines in content:
                    copy.write(lines)
            else:
                for row in zip(*values):
                    copy.write_row(row)
    except Exception:  # noqa: BLE001 - SQLAlchemy says what is wrong, if anything is
        savepoint.rollback()
        return False
    savepoint.commit()
    return True
