"""What cannot be counted is said, or left out: more rows than fit, and lines that are no rows."""

from typing import Any

import pytest

from worker.hooks.runner.profile import Profile
from worker.hooks.runner.unique import UniqueCheck, checks_of

FIELDS = [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]


def counted(lines: list[str], checks: list[UniqueCheck]) -> list[dict[str, Any]]:
    fields = [dict(field) for field in FIELDS]
    profile = Profile(fields, checks)
    for line in lines:
        profile.add(line)
    profile.complete()
    return fields


def test_of_more_rows_than_may_be_known_no_duplicates_are_told() -> None:
    asked = [{"columns": ["id"]}, {"columns": ["name"], "resource": "rows"}, {"columns": ["id"], "resource": "*"}]
    for most, told in ((6, {"duplicates": 1}), (5, {"duplicates": None, "note": "not checked: more than 2 rows"})):
        checks = checks_of(asked, {"name": "rows", "fields": FIELDS}, most)
        fields = counted(['{"id": 1}', '{"id": 2}', '{"id": 1}'], checks)
        [of_id, of_name] = [check.facts() for check in checks]
        assert of_id == {"columns": ["id"], **told}
        assert of_name["duplicates"] == 0
        assert fields[0] == {"name": "id", "type": "integer", "nulls": 0, "least": "1", "greatest": "2"}


@pytest.mark.parametrize("line", ["[1]", "{}, {}", "{", '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"], ids=len)
def test_of_lines_that_are_no_rows_nothing_is_told(line: str) -> None:
    check = UniqueCheck(["id"])
    assert counted(['{"id": 1}', line], [check]) == FIELDS
    assert check.facts() == {"columns": ["id"], "duplicates": None, "note": "not checked: its rows cannot be read"}


def test_a_column_with_a_value_of_another_type_has_nulls_but_no_ends() -> None:
    lines = ['{"id": 1, "name": null}', '{"id": "two"}', '{"id": null, "name": ""}']
    assert counted(lines, []) == [{**FIELDS[0], "nulls": 1}, {**FIELDS[1], "nulls": 2}]
