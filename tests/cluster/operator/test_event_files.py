"""The files of the runs' events: what is dropped, where reading goes on, what a kill leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.operator.event_files import EventFiles


def lines(files: EventFiles, uid: str, position: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.read(uid, position).splitlines()]


def test_a_large_file_loses_log_and_progress_only_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.operator.event_files.MAX_RUN_EVENTS_BYTES", 200)
    files = EventFiles(tmp_path / "events")
    file = files.open("r1")
    for number, kind in enumerate(["queued", *["log"] * 9, "progress", "finished", "log", "closed"], start=1):
        file.append({"event": kind, "time": "now", "line": "x" * 20, "number": number})
    found = lines(files, "r1")
    kept = sum(event["event"] == "log" for event in found)
    assert 0 < kept < 9
    assert [event["event"] for event in found if event["event"] != "log"] == [
        "queued", "skipped_log", "finished", "skipped_log", "closed"
    ]  # fmt: skip
    missed = [(event["lines"], event["progress"]) for event in found if event["event"] == "skipped_log"]
    assert missed == [(9 - kept, 1), (1, 0)]
    assert files.dropped == 9 - kept + 2
    assert file.last == 14


def test_reading_goes_on_after_a_number_and_writing_after_a_kill(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    assert (files.read("r1", 0), files.position_after("r1", 3), files.has("r1")) == (b"", 0, False)
    file = files.open("r1")
    for number in (1, 2, 5):
        file.append({"event": "log", "number": number})
        file.append({"event": "skipped_log", "lines": 1})
    with (tmp_path / "r1.jsonl").open("ab") as stream:
        stream.write(b'{"event": "lo')
    assert files.open("r1").last == 5
    seen = {after: [event.get("number") for event in lines(files, "r1", files.position_after("r1", after))]
            for after in (0, 1, 2, 4, 5, 9)}  # fmt: skip
    assert seen == {
        0: [1, None, 2, None, 5, None],
        1: [None, 2, None, 5, None],
        2: [None, 5, None],
        4: [None, 5, None],
        5: [None],
        9: [None],
    }
    files.open("r2").append({"event": "queued", "number": 1})
    files.remove_others({"r2"})
    assert (files.has("r1"), files.has("r2")) == (False, True)
