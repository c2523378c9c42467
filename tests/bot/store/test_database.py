"""How a database is opened and brought to the newest migration, SQLite and PostgreSQL."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from bot.database import _use_wal, upsert
from bot.errors import DppctlError
from bot.store.store import Store
from bot.store.tables import SCHEMA, Base, Total
from tests.support.environment import REPOSITORY
from tests.support.reports import event

pytestmark = pytest.mark.slow


def test_another_start_finds_what_was_there(url: str, store: Store) -> None:
    store.deployments.report(event("started"))
    again = Store(url)
    assert len(again.deployments.newest()) == 1
    again.close()


def test_several_processes_open_a_new_database_at_once(url: str) -> None:
    program = "import sys; from bot.store.store import Store; Store(sys.argv[1]).totals.add({'opened': 1})"
    started = [subprocess.Popen([sys.executable, "-c", program, url], cwd=REPOSITORY) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    store = Store(url)
    assert store.counts().totals == {"opened": 4}
    store.close()


def test_many_that_open_a_new_file_at_once_all_have_it(tmp_path: Path) -> None:
    """SQLite says "database is locked" at once to who changes to its log while another does."""
    together = threading.Barrier(6)

    def open_all(_: int) -> None:
        for number in range(50):
            together.wait(60)
            with closing(sqlite3.connect(tmp_path / f"{number}.sqlite")) as connection:
                _use_wal(connection, None)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("COMMIT")

    with ThreadPoolExecutor(together.parties) as threads:
        list(threads.map(open_all, range(together.parties)))


def test_the_migrations_make_what_the_models_say(store: Store) -> None:
    with store.database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_of_a_newer_dppctl_is_left_alone(url: str, store: Store) -> None:
    with store.database.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
        connection.commit()
    with pytest.raises(DppctlError, match="not one that this dppctl knows"):
        Store(url)


def test_a_database_that_cannot_be_opened_is_one_line_without_the_password() -> None:
    for bad in ("sqlite:////nowhere/x.sqlite", "postgresql+psycopg://me:hushhush@127.0.0.1:1/x", "nonsense"):
        with pytest.raises(DppctlError, match=r"^DPPCTL_DATABASE_URL ") as refused:
            Store(bad)
        assert "hushhush" not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_database_of_commit_a304d9f_keeps_its_rows(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "test.sqlite") as old:
        old.executescript((Path(__file__).parent / "a304d9f.sql").read_text())
        tables = [name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: old.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    old.close()
    assert all(rows.values())
    store = Store(f"sqlite:///{tmp_path}/test.sqlite")
    with store.database.connect() as connection:
        assert {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables} == rows
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == SCHEMA.revision
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    arrived = {delivery.id: delivery.state for delivery in store.deliveries.newest()}
    assert arrived == {"d1": "failed", "d2": "received", "d3": "ignored"}
    assert (store.deliveries.take()[0].status or {})["context"] == "argocd"
    building, failed, succeeded = store.deployments.newest()
    assert (building.state, failed.state, failed.error) == ("building", "failed", "it broke")
    assert (succeeded.rows, store.deployments.log(succeeded.id)) == (3, "first\nsecond\n")
    current = store.history.current(succeeded.app, succeeded.environment)
    assert current
    assert (current.deployment_id, current.receipt["pipelines"][0]["rows"]) == (succeeded.id, 3)
    assert succeeded.created == datetime(2026, 1, 2, 3, 5, 0, 705808, tzinfo=UTC)
    assert [one.id for one in store.builds.of_app("ann/app")] == [building.id]
    assert store.images.find("ann/app", "e" * 40) == f"reg/ann/app@sha256:{'0' * 64}"
    assert [one.until_ref for one in store.holds.all()] == ["refs/heads/x"]
    assert [one.environment for one in store.requests.take()] == ["production"]
    seen = store.tags.see("ann/app", {"refs/tags/v1": "d" * 40})
    assert seen == {"refs/tags/v1": datetime(2026, 1, 2, 3, 5, 0, 219323, tzinfo=UTC)}
    assert store.tags.baseline("ann/app", {}) == {"refs/tags/v1": "d" * 40}
    assert store.totals.read() == {"git_calls": 7}
    change = store.totals.change_number()
    store.deployments.append_log(building.id, "more\n")
    assert store.totals.change_number() == change + 1
    store.close()


def test_a_baseline_that_was_a_time_is_the_tags_up_to_then(tmp_path: Path) -> None:
    seen = [("ann/app", "old", "05:00.1"), ("ann/app", "new", "05:00.9"), ("ann/ap", "other", "05:00.1")]
    with sqlite3.connect(tmp_path / "test.sqlite") as old:
        old.executescript((Path(__file__).parent / "a304d9f.sql").read_text())
        old.execute("DELETE FROM tags_seen")
        old.execute("INSERT INTO apps_seen SELECT app || '/below/it', baseline FROM apps_seen")
        for repository, name, time in seen:
            row = (repository, name, "d" * 40, f"2026-01-02 03:{time}00000")
            old.execute("INSERT INTO tags_seen VALUES (?, ?, ?, ?)", row)
    old.close()
    store = Store(f"sqlite:///{tmp_path}/test.sqlite")
    for app in ("ann/app", "ann/app/below/it"):
        assert store.tags.baseline(app, {}) == {"old": "d" * 40}
    assert set(store.tags.see("ann/app", {"old": "d" * 40, "new": "d" * 40})) == {"old", "new"}
    store.close()


def test_an_upsert_inserts_changes_or_leaves_a_row(store: Store) -> None:
    keys = {"name": "calls"}
    with store.database.write() as session:
        assert upsert(session, Total, keys, {"value": 1.0})
        assert upsert(session, Total, keys, {"value": 2.0})
        assert not upsert(session, Total, keys, {"value": 3.0}, update={})
        assert upsert(session, Total, keys, {"value": 4.0}, update={"value": Total.value + 5})
    assert store.totals.read() == {"calls": 7.0}
