"""The table of what a run made."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.run.resource_table import print_resources
from tests.support.receipts import pipeline, resource

Files = Callable[[Mapping[str, str]], Path]
SPECS = {
    "pipeline-spec.yaml": """
        to-db:
          pipeline:
          - run: load_resource
          - run: dump.to_sql
            parameters:
              tables: {zones_table: {resource-name: zones}, other: {resource-name: others}, odd: null}
          - {run: dump_to_path, parameters: {out-path: data/zones}}
        odd: {pipeline: [text, {run: dump.to_sql}, {run: dump.to_sql, parameters: [1]}]}
    """,
    "below/pipeline-spec.yaml": "zip: {pipeline: [{run: dump.to_zip, parameters: {out-file: a.zip}}]}",
    "broken/pipeline-spec.yaml": "a: [",
}


def shown(capsys: pytest.CaptureFixture[str], workload: Path | None, *pipelines: Mapping[str, Any]) -> list[str]:
    print_resources({"pipelines": [*pipelines]}, workload)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_each_resource_has_a_line_that_says_where_it_is(capsys: pytest.CaptureFixture[str], workload: Files) -> None:
    made = [
        pipeline("./to-db", resource("zones", 1234, "id name"), resource("streamless", None)),
        pipeline("./below/zip", resource("z", 1)),
        pipeline("./odd", resource("o", 2)),
        pipeline("./broken/a", resource("b", 3)),
        pipeline("./gone/a", resource("g", 4)),
        pipeline("./failed", resource("f", 5)) | {"status": "failed"},
    ]
    lines = shown(capsys, workload(SPECS), *made)
    assert [re.split(r" {2,}", line) for line in lines] == [
        ["PIPELINE", "RESOURCE", "ROWS", "COLUMNS", "WHERE"],
        ["./to-db", "zones", "1,234", "2", "table zones_table, data/zones/"],
        ["./to-db", "streamless", "1", "data/zones/"],
        ["./below/zip", "z", "1", "1", "below/a.zip"],
        ["./odd", "o", "2", "1"],
        ["./broken/a", "b", "3", "1"],
        ["./gone/a", "g", "4", "1"],
    ]


def test_what_nothing_is_known_of_takes_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, None, pipeline("./a"), {"id": "./b", "status": "succeeded", "resources": "forged"}) == []
    assert shown(capsys, None, pipeline("./a", resource("z", 1))) == [
        "RESOURCE  ROWS  COLUMNS",
        "z            1        1",
    ]


def test_many_are_cut_and_wide_names_are_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    named = [resource(f"עיר-{'שם' * 40}-{number}", number) for number in range(51)]
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown(capsys, None, pipeline("./a", *named))]
    assert lines[-1] == "and 31 more"
    assert len([line for line in lines if line.startswith("עיר-")]) == 20
    assert max(map(len, lines)) <= 80
