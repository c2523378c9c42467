"""`make audit ADVISORIES=FILE`: pip-audit asks a service that knows the advisories of a file, in OSV's form."""

import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import REPOSITORY

_SCRIPT = str(REPOSITORY / ".ci" / "advisories.py")
_FIXED = [{"introduced": "2.0"}, {"fixed": "2.3"}]
_OPEN = [{"introduced": "0"}, {"last_affected": "1.4"}]
# As https://github.com/ossf/osv-schema/blob/main/validation/schema.json has it.
_ADVISORY: dict[str, Any] = {
    "schema_version": "1.7.0",
    "id": "PYSEC-2026-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "A hole",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "a-b"},
            "ranges": [{"type": "ECOSYSTEM", "events": events} for events in (_FIXED, _OPEN)],
            "versions": ["3.0"],
        },
        {"package": {"ecosystem": "npm", "name": "a-b"}, "versions": ["9.0"]},
    ],
}


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [
        ("0.1", True), ("1.4", True), ("1.4.1", False), ("1.9", False), ("2.0", True), ("2.3rc1", True), ("2.3", False),
        ("3.0", True), ("3.0.0", True), ("9.0", False),
    ],
)  # fmt: skip
def test_versions_are_looked_for_as_the_form_says(version: str, is_affected: bool) -> None:
    found = runpy.run_path(_SCRIPT)["is_affected"]
    assert found(_ADVISORY, "a-b", version) is is_affected
    assert not found({**_ADVISORY, "withdrawn": "2026-02-01T00:00:00Z"}, "a-b", version)


def test_what_asks_the_service_hears_of_the_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:  # OSV's own dump
        archive.writestr("PYSEC-2026-1.json", json.dumps(_ADVISORY))
    asked = json.dumps({"package": {"name": "A.b", "ecosystem": "PyPI"}, "version": "2.1"}).encode()
    ask = f"import urllib.request as r; print(r.urlopen('{{url}}', {asked!r}).read().decode())"
    done = advisories(tmp_path / "all.zip", sys.executable, "-c", ask)
    said, answer = done.stdout.splitlines()
    assert said == f"{tmp_path}/all.zip: advisories about 1 packages"
    assert json.loads(answer) == {"vulns": [_ADVISORY]}
    assert advisories(tmp_path / "all.zip", sys.executable, "-c", "exit(3)").returncode == 3


def test_a_file_without_advisories_is_no_good_news(tmp_path: Path) -> None:
    (tmp_path / "some.json").write_text("[]")
    done = advisories(tmp_path / "some.json", sys.executable, "-c", "")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no advisory about a package of PyPI in it" in done.stderr


def advisories(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, _SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
