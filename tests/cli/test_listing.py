"""What lists print, whichever way."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from cli.listing import show

ROWS: list[dict[str, Any]] = [
    {"id": 2, "app": "ann/app", "rows": 90_225, "why": None, "names": ["a", "b"], "at": ""},
    {"id": 1, "app": "דוד/נתונים", "rows": None, "why": "first\nsecond \x1b[31mred\u202e", "names": [], "at": ""},
]


def printed(capsys: pytest.CaptureFixture[str], output: str | None, rows: Sequence[dict[str, Any]] = ROWS) -> str:
    show(
        rows,
        output,
        columns={name: name for name in ROWS[0]},
        name=lambda row: f"{row['app']} {row['id']}",
        empty="Nothing; do something",
    )
    return capsys.readouterr().out


@pytest.mark.parametrize("output", [None, "json"])
def test_what_is_piped_is_json(capsys: pytest.CaptureFixture[str], output: str | None) -> None:
    assert json.loads(printed(capsys, output)) == ROWS
    assert json.loads(printed(capsys, output, [])) == []


def test_yaml_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "yaml")
    assert yaml.safe_load(text) == ROWS
    assert "דוד" in text


def test_names_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "name").splitlines() == ["ann/app 2", "דוד/נתונים 1"]
    assert printed(capsys, "name", []) == ""


def test_a_table_has_a_line_for_each_row_and_no_commands_for_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    head, first, second = printed(capsys, "table").splitlines()
    assert head.split() == ["ID", "APP", "ROWS", "WHY", "NAMES", "AT"]
    assert first.split() == ["2", "ann/app", "90,225", "a,", "b"]
    assert "first second" in second
    assert not set(second) & {"\x1b", "\u202e"}
    assert printed(capsys, "table", []) == "Nothing; do something\n"


def test_times_are_told_from_now(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    past = printed(capsys, "table", [ROWS[0] | {"at": (now - timedelta(days=3, hours=1)).isoformat()}])
    assert past.splitlines()[1].rstrip().endswith("3d01h ago")
    future = printed(capsys, "table", [ROWS[0] | {"at": (now + timedelta(hours=2, seconds=59)).isoformat()}])
    assert future.splitlines()[1].rstrip().endswith("in 2h00m")


def test_on_a_terminal_it_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    head = printed(capsys, None).splitlines()[0]
    assert ("ID" in head, "{" in head) == (True, False)
