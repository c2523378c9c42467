"""`dppctl clean`: what is old goes, what somebody needs stays."""

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cluster.local.sessions import record
from tests.support.command import Dppctl
from tests.support.workloads import write_files

DAY = 86400.0


@pytest.fixture
def clean(dppctl: Dppctl, tmp_path: Path) -> Callable[..., list[str]]:
    """Cleans, with a cache of the test's own; gives the lines, paths by their names."""

    def run(*arguments: str, code: int = 0) -> list[str]:
        done = dppctl("clean", *arguments, DPPCTL_CACHE_DIR=str(tmp_path / "cache"))
        assert (done.returncode, done.stderr == "") == (code, code == 0), done
        return [re.sub(r"/\S*/", "", line) for line in (done.stdout + done.stderr).splitlines()]

    return run


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * DAY
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def database(dppctl: Dppctl, name: str, days: float, *, table: bool = True) -> Path:
    file = dppctl.data / "databases" / f"{name}.sqlite"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        if table:
            connection.execute("CREATE TABLE a (b)")
    return aged(file, days)


def environment(cache: Path, name: str, days: float) -> Path:
    folder = write_files(cache / "runtimes", {f"{name}-1/bin/dpp": "x" * 10000, f"{name}.lock": ""}) / f"{name}-1"
    (cache / "runtimes" / name).symlink_to(folder.name)
    for path in (cache / "runtimes" / f"{name}.lock", cache / "runtimes" / name, folder):
        aged(path, days)
    return folder


def test_what_is_old_goes_and_a_dry_run_says_it_first(
    dppctl: Dppctl, clean: Callable[..., list[str]], tmp_path: Path
) -> None:
    old = [database(dppctl, "old", 40), database(dppctl, "empty", 0.1, table=False)]
    old.append(aged(write_files(dppctl.data / "storage", {"old/data.csv": "x"}) / "old", 31))
    old.append(aged(write_files(dppctl.data / "storage", {".half/data.csv": "x"}) / ".half", 2))
    old.append(environment(tmp_path / "cache", "aaaa", 50))
    old.append(aged(write_files(tmp_path / "cache" / "runtimes", {"cccc-1/x": ""}) / "cccc-1", 2))
    new = [database(dppctl, "new", 29), environment(tmp_path / "cache", "bbbb", 29)]
    new.append(aged(write_files(dppctl.data / "storage", {"new/data.csv": "x"}) / "new", 29))
    said = clean("--dry-run")
    assert all(path.exists() for path in [*old, *new])
    assert said[:-1] == [
        "Would remove aaaa-1 (environment, 0.0 MB, 50d00h old)",
        "Would remove old.sqlite (database, 0.0 MB, 40d00h old)",
        "Would remove old (published data, 0.0 MB, 31d00h old)",
        *[line for line in said if "left-over" in line],
        "Would remove empty.sqlite (empty database, 0.0 MB, 2h24m old)",
    ]
    assert said[-1] == "Would free 0.0 MB"
    assert [line.replace("Would remove", "Removed").replace("Would free", "Freed") for line in said] == clean()
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in new)
    assert sorted(path.name for path in (tmp_path / "cache" / "runtimes").iterdir()) == ["bbbb", "bbbb-1", "bbbb.lock"]
    assert clean() == ["Nothing is older than 30 days"]
    assert len(clean("--older-than", "28d")) == 4
    assert not any(path.exists() for path in new)


def test_what_a_pod_or_a_run_may_use_stays(
    dppctl: Dppctl, clean: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(dppctl.data))
    used, recent = environment(tmp_path / "cache", "aaaa", 50), environment(tmp_path / "cache", "bbbb", 0.5)
    worker, db = record.create("worker", path=str(used / "bin")), record.create("db")
    try:
        file = database(dppctl, db.name, 40)
        storage = aged(write_files(dppctl.data / "storage", {f"{worker.name}/x": ""}) / worker.name, 40)
        assert clean("--older-than", "0") == ["Nothing is older than 0 seconds"]
        assert all(path.exists() for path in (used, recent, file, storage))
    finally:
        worker.remove()
        db.remove()


def test_a_file_that_is_no_database_goes_by_its_age_and_a_written_one_is_not_empty(
    dppctl: Dppctl, clean: Callable[..., list[str]]
) -> None:
    (dppctl.data / "databases").mkdir()
    other = dppctl.data / "databases" / "other.sqlite"
    other.write_text("not a database, but of somebody\n")
    aged(other, 1)
    file = database(dppctl, "busy", 1, table=False)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        aged(file, 1)
        assert clean() == ["Nothing is older than 30 days"]
    assert other.exists()


def test_a_length_of_time_that_is_none_is_one_line(clean: Callable[..., list[str]]) -> None:
    assert clean("--older-than", "soon", code=2) == [
        "dppctl: 'soon' is no length of time; write it like 1h, 30m, 90s or 0"
    ]
