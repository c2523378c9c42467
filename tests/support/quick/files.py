"""Reads, validates and writes rows of CSV files with the packages' own code and with the quick one."""

import copy
import io
import logging
import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from datapackage_pipelines.utilities import extended_json
from dppctl_hooks import batches
from dppctl_hooks.quick import csv_in, csv_out, old_dump, profiles, rows, strip

from tests.support.quick.comparing import loaded_again, outcome, serve

# `import … as` would find the function or class that has the name of its module.
stream, parser, table, validator, load, new_format, base, old_format = map(
    import_module,
    (
        "tabulator.stream", "tabulator.parsers.csv", "tableschema.table", "dataflows.base.schema_validator",
        "dataflows.processors.load", "dataflows.processors.dumpers.formats.format_csv",
        "datapackage_pipelines.lib.dump.dumper_base", "datapackage_pipelines.lib.dump.file_formats",
    ),
)  # fmt: skip
before: Any = {module.__name__: loaded_again(module) for module in (stream, parser, table, validator)}
STREAM_BEFORE = partial(
    before["tabulator.stream"].Stream, custom_parsers={"csv": before["tabulator.parsers.csv"].CSVParser}
)
before["tableschema.table"].Stream = STREAM_BEFORE
FOLDER = tempfile.TemporaryDirectory()


def read(case: Any) -> Any:
    """Return what differs in reading a file: (its bytes, options of the stream, of `iter`, schema or None)."""
    path = Path(FOLDER.name, "file.csv")
    path.write_bytes(case[0])
    answers = []
    for stream_class, table_class, in_batches in (
        (STREAM_BEFORE, before["tableschema.table"].Table, False),
        (stream.Stream, table.Table, False),
        (stream.Stream, table.Table, True),
    ):
        batches.RowSources.give_batches = in_batches
        found: list[Any] = []
        if case[3] is None:
            opened = stream_class(str(path), **case[1])
            answers.append([outcome(_all_of, opened, case[2], found), found, opened.headers])
            answers[-1] += [outcome(getattr, opened, "dialect"), outcome(_all_of, opened, {}, found)]
        else:
            made = table_class(str(path), schema=case[3], **case[1])
            answers.append([outcome(_all_of, made, case[2], found), found, made.headers])
            answers[-1].append(outcome(made.read, True))
    batches.RowSources.give_batches = False
    return [] if repr(answers[0]) == repr(answers[1]) == repr(answers[2]) else answers


def _all_of(source: Any, how: Any, found: list[Any]) -> None:
    if hasattr(source, "open") and source.closed:
        source.open()
    found.extend(source.iter(**how))


def validate(case: Any) -> Any:
    """Return what differs in validating rows: (schema, rows, fields or None, what is done with wrong values)."""
    return _validate(case, copy.deepcopy) or _validate(case, _as_lines) or _validate(case, copy.deepcopy, _in_batches)


def _in_batches(rows: Any) -> Any:
    """Return rows in batches of one, two, four … rows."""
    return batches.RowBatches.of(batches.in_batches(rows, 1))


def _validate(case: Any, given_as: Any, passed_as: Any = iter) -> Any:
    answers = []
    for check in (before["dataflows.base.schema_validator"].schema_validator, validator.schema_validator):
        given = given_as(case[1])
        on_error = getattr(check, case[3]) if case[3] else None
        found: list[Any] = []
        passed = iter(given) if check is not validator.schema_validator else passed_as(given)
        rows_of = check({"name": "r", "schema": case[0]}, passed, case[2], on_error)
        answers.append([outcome(found.extend, rows_of), found, given if passed_as is iter else [], _changed(given)])
    return [] if repr(answers[0]) == repr(answers[1]) else answers


def strip_text(given: Any) -> Any:
    """Return what differs in stripping the text of rows."""
    for given_as in (copy.deepcopy, _as_lines):
        answers = []
        for stripper, passed_as in (
            (STRIPPER_BEFORE, iter),
            (load.load.stripper, iter),
            (load.load.stripper, _in_batches),
        ):
            found = list(stripper(None, passed_as(given_as(given))))
            answers.append([found, _changed(found)])
        if repr(answers[0]) != repr(answers[1]) or repr(answers[0]) != repr(answers[2]):
            return answers
    return []


def _as_lines(rows: Any) -> list[Any]:
    """Return rows as a step reads them that another process wrote; those that cannot be written stay."""
    return [_as_line(row) for row in copy.deepcopy(rows)]


def _as_line(row: Any) -> Any:
    try:
        return extended_json.json.loadl(extended_json.json.dumpl(row, sort_keys=True, ensure_ascii=True))
    except (TypeError, ValueError):
        return row


def _changed(rows: Any) -> list[Any]:
    """Return of each row whether it is written anew."""
    return [getattr(row, "dirty", None) for row in rows]


def write(case: Any) -> Any:
    """Return what differs in writing rows by `dump_to_path`: (schema, rows, options)."""
    schema = table.Schema(case[0])
    answers = []
    for write_row in (NEW_WRITE_BEFORE, new_format.CSVFormat.write_row):
        file = tempfile.NamedTemporaryFile("w+", newline="")  # noqa: SIM115 - as the dumper has it
        made = new_format.CSVFormat(file, copy.deepcopy(schema), **case[2])
        log.seek(0)
        log.truncate()
        written = [outcome(write_row, made, row) for row in [*case[1], *_as_lines(case[1])]]
        file.seek(0)
        answers.append([*written, file.read(), _first_lines()])
        file.close()
    return ([] if answers[0] == answers[1] else answers) or _write_in_batches(schema, case)


def _write_in_batches(schema: Any, case: Any) -> Any:
    """Return what differs in writing rows together; up to the first that cannot be written."""
    answers = []
    for together in (False, True):
        file = tempfile.NamedTemporaryFile("w+", newline="")  # noqa: SIM115 - as the dumper has it
        made = new_format.CSVFormat(file, copy.deepcopy(schema), **case[2])
        if together:
            found = outcome(lambda made=made: [made.write_batch(batch) for batch in _batches(case[1])] and None)
        else:
            found = outcome(lambda made=made: [NEW_WRITE_BEFORE(made, row) for row in case[1]] and None)
        file.seek(0)
        answers.append([found, file.read()])
        file.close()
    return [] if answers[0] == answers[1] else answers


def _batches(rows: Any) -> Any:
    return batches.in_batches(rows, 1)


def write_old(case: Any) -> Any:
    """Return what differs in validating and writing rows by `dump.to_path`: (schema, rows)."""
    schema, given = case
    fields = {field["name"]: field for field in schema["fields"]}
    answers = []
    for write_row, check in (
        (OLD_WRITE_BEFORE, VALIDATOR_BEFORE),
        (old_format.CSVFormat.write_row, base.DumperBase.schema_validator),
    ):
        file = io.StringIO()
        made = old_format.CSVFormat()
        writer = made.initialize_file(file, list(fields))
        log.seek(0)
        log.truncate()
        found: list[Any] = []
        checked = outcome(found.extend, check(_Resource(schema, given)))
        written = [outcome(write_row, made, writer, row, fields) for row in given]
        answers.append([checked, repr(found), written, file.getvalue(), _first_lines()])
    return [] if answers[0] == answers[1] else answers


class _Resource(list[Any]):
    def __init__(self, schema: Any, given: Any) -> None:
        super().__init__(given)
        self.spec = {"schema": schema}


def _first_lines() -> list[str]:
    """Return what was logged, without tracebacks, whose frames differ."""
    return [line for line in log.getvalue().splitlines() if line.startswith("LOG ")]


if __name__ == "__main__":
    log = io.StringIO()
    logging.basicConfig(stream=log, format="LOG %(levelname)s %(message)s", force=True)
    STRIPPER_BEFORE = load.load.stripper
    NEW_WRITE_BEFORE, OLD_WRITE_BEFORE = new_format.CSVFormat.write_row, old_format.CSVFormat.write_row
    VALIDATOR_BEFORE = base.DumperBase.schema_validator
    for quick in (csv_in, csv_out, old_dump, rows, strip):
        assert quick.applies() is None, quick.applies()
        quick.install()
    profiles.install()  # for both, as in `steps`
    ways = {"read": read, "validate": validate, "strip": strip_text, "write": write, "write old": write_old}
    serve(lambda cases: [unlike for way, case in cases if (unlike := ways[way](case))])
