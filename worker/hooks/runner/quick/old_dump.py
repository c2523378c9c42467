"""Validates and writes the rows of `dump.to_path`, dpp's own dumper of before dataflows, as it does.

Rows whose values casting would not change are not cast to be thrown away; all others go through the original.
"""

import csv
from importlib import import_module
from typing import Any, Iterator, List, Optional

from .csv_out import RowWriter, iso_writers
from .fields import TABLESCHEMA_FILES
from .known import unknown
from .rows import RowCaster

DUMP_FILES = {
    "datapackage_pipelines/lib/dump/dumper_base.py": "cf34bafcf026d5f0ab7adfce39c727ce5f873bcd56c50c895e7e215260d410ad",
    "datapackage_pipelines/lib/dump/file_formats.py": (
        "4b825927f35c42a452ff216620f81dd799edf70b179496924d2af25279278d90"
    ),
}


def applies() -> Optional[str]:
    """Return None, or why `dump.to_path` does as ever."""
    return unknown("datapackage-pipelines 2.2.11", DUMP_FILES) or unknown("tableschema 1.21.0", TABLESCHEMA_FILES)


def install() -> None:
    """Change the dumpers' `schema_validator` and `CSVFormat.write_row` of datapackage_pipelines."""
    base = import_module("datapackage_pipelines.lib.dump.dumper_base")
    validate = base.DumperBase.schema_validator

    def quick_validator(resource: Any) -> Iterator[Any]:
        waiting: List[Any] = []
        validated = validate(_Rows(resource.spec, waiting))
        leaves = RowCaster(base.Schema(resource.spec["schema"]).fields).leaves
        for row in resource:
            if leaves(row):
                yield row
            else:
                waiting.append(row)
                yield next(validated)

    base.DumperBase.schema_validator = staticmethod(quick_validator)
    _change_format(import_module("datapackage_pipelines.lib.dump.file_formats").CSVFormat)


class _Rows:
    """A resource with the rows that wait, one at a time."""

    def __init__(self, spec: Any, waiting: List[Any]) -> None:
        self.spec = spec
        self._waiting = waiting

    def __iter__(self) -> Iterator[Any]:
        while self._waiting:
            yield self._waiting.pop()


def _change_format(format_class: Any) -> None:
    write_row = format_class.write_row
    dates = iso_writers(format_class.SERIALIZERS, " ")

    def quick_write_row(self: Any, writer: Any, row: Any, fields: Any) -> None:
        quick = self.__dict__.get("_quick")
        if quick is None or quick[0] is not writer or quick[1] is not fields:
            self._quick = quick = (writer, fields, writer_of(self, writer, fields))
        if quick[2] is None or not quick[2].write(row):
            write_row(self, writer, row, fields)

    def writer_of(self: Any, writer: Any, fields: Any) -> Optional[RowWriter]:
        if type(self) is not format_class or type(writer) is not csv.DictWriter:
            return None
        serializers = {name: self.SERIALIZERS.get(field["type"], str) for name, field in fields.items()}
        return RowWriter(writer, serializers, (), dates)

    format_class.write_row = quick_write_row
