"""Casts values and rows with tableschema's own code and with the quick one."""

from typing import Any

import tableschema.field
import tableschema.schema
from dppctl_hooks.quick import fields

from tests.support.quick.comparing import loaded_again, outcome, serve

FIELD_BEFORE = loaded_again(tableschema.field).Field
SCHEMA_BEFORE: Any = loaded_again(tableschema.schema)
SCHEMA_BEFORE.Field = FIELD_BEFORE


def compare(case: Any) -> Any:
    """Return the outcomes that differ for a schema's descriptor and a row: of each field, and of the row."""
    descriptor, row = case
    schemas = [schema_class(descriptor) for schema_class in (SCHEMA_BEFORE.Schema, tableschema.schema.Schema)]
    answers: list[Any] = []
    for schema in schemas:
        of_row = [
            outcome(schema.cast_row, row),
            outcome(schema.cast_row, row, True),
            outcome(schema.cast_row, tuple(row), False, 7),
            outcome(schema.cast_row, [*row, 1], False, 7),
        ]
        of_values = [
            outcome(field.cast_value, value, *constraints)
            for field, value in zip(schema.fields, row, strict=False)
            if field
            for constraints in ((), (), (True,), (False,), (["minimum"],))
        ]
        answers.append([*of_row, *of_values, [outcome(field.test_value, row[0]) for field in schema.fields if field]])
    return [] if answers[0] == answers[1] else answers


if __name__ == "__main__":
    assert fields.applies() is None, fields.applies()
    fields.install()
    serve(compare)
