"""Environments of one machine with a database, as deployments leave them."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from cluster.sync.local.environment import LocalEnvironment, Release, environment_folder
from cluster.sync.outcome import Outcome


def put_rows(
    environments: Path, target: Target, names: list[str], table: str = "countries", *, in_log: bool = False
) -> Release:
    """Make a release current whose table has these names, as a deployment does; `in_log`: they are in SQLite's WAL."""
    environment = LocalEnvironment(environment_folder(environments, target))
    release = environment.begin(threading.Event())
    database = sqlite3.connect(release.work_database)
    with closing(database):
        if in_log:
            database.execute("PRAGMA journal_mode=WAL")
        quoted = '"' + table.replace('"', '""') + '"'
        database.execute(f"DROP TABLE IF EXISTS {quoted}")
        database.execute(f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany(f"INSERT INTO {quoted} (name) VALUES (?)", [(name,) for name in names])
        database.commit()
        if in_log:  # whoever is killed leaves its log
            for end in ("", "-wal"):
                file = Path(f"{release.work_database}{end}")
                file.with_name(f"kept{end}").write_bytes(file.read_bytes())
    if in_log:
        for end in ("", "-wal"):
            release.work_database.with_name(f"kept{end}").replace(f"{release.work_database}{end}")
    environment.switch(release)
    return release


def put_outcome(release: Release, pipelines: dict[str, str | None]) -> None:
    """Write down what a deployment of these pipelines, with their schedules, left."""
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="a" * 40)
    ran = tuple(Pipeline(id=name, schedule=schedule) for name, schedule in pipelines.items())
    values = Values(image=None, source=source, pipelines=ran)
    release.write(
        Outcome(ops_commit="b" * 40, values=values, phase="succeeded", message="", receipt=None, began=0, ended=1)
    )
