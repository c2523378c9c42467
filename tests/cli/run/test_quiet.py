"""`dppctl run --quiet`: what other programs need, and what went wrong."""

from pathlib import Path

import pytest

from cli.commands.run import make_report
from cluster.local.databases.database import RunDatabase

FAILED = {
    "id": "./b", "status": "failed", "rows": 3, "stats": {}, "resources": [],
    "error": "rows.py:2: ValueError: the\x1b[31m reason\nmore of it",
}  # fmt: skip
RECEIPT = {"status": "failed", "pipelines": [FAILED | {"id": "./a", "status": "succeeded", "error": None}, FAILED]}
PUBLISHED = [("data package", "data/zones", "https://data.example.org/zones/")]


@pytest.mark.parametrize(
    ("database", "place"),
    [
        (RunDatabase("sqlite", "sqlite:///", Path("/data/db.sqlite")), "/data/db.sqlite"),
        (RunDatabase("postgres", "postgresql://", password="hush"), "dppctl-db-1"),
    ],
)
def test_places_and_addresses_are_printed_and_errors_on_stderr(
    capsys: pytest.CaptureFixture[str], database: RunDatabase, place: str
) -> None:
    with make_report("text", verbose=False, quiet=True) as report:
        report.using("Using the local cluster")
        report.assigned("dppctl-worker-1", "dppctl-db-1", database)
        report.event({"event": "started", "pipeline": "./b"})
        report.event({"event": "finished", "result": FAILED})
        report.resources(RECEIPT, None)
        report.ended(RECEIPT, PUBLISHED, "1 hour")
        report.warn("dppctl: nothing is published")
    said = capsys.readouterr()
    assert said.out == f"{place}\nhttps://data.example.org/zones/\n"
    assert said.err == "dppctl: ./b: rows.py:2: ValueError: the reason\ndppctl: nothing is published\n"
