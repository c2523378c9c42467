"""What a run on a cluster waits for: its environment's database is copied, and in the end the copy becomes current."""

import os
import subprocess
import time
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row, spread
from cluster.local.databases import postgres
from tests.support.environment import REPOSITORY
from tests.support.next_database import EnvironmentDatabase, environment_database

_SCRIPT = REPOSITORY / "charts" / "dppctl-pipelines" / "files" / "copy_database.sh"
_ROWS = "CREATE TABLE rows AS SELECT n AS id, md5(n::text) AS name, n / 7.0 AS amount FROM generate_series(1, {}) n"
_INDEX = "CREATE INDEX ON rows (id)"
_MB = 1024 * 1024
MOST_SECONDS = {15: 10.0, 1024: 180.0}


def next_database(bench: Bench) -> Result:
    """Measure the copying of databases of these sizes, and the switch to them, on one server of this disk."""
    rows: list[Row] = []
    details = []
    with environment_database(bench.new_folder()) as database:
        for size in (15,) if bench.quick else MOST_SECONDS:
            database.sql("DROP TABLE IF EXISTS rows")
            database.sql(_ROWS.format(size * 10_000))
            database.sql(_INDEX)
            ((found,),) = database.sql("SELECT pg_database_size(current_database())")
            copying, switching = [], []
            for number in numbered(1 if size > 100 else 3, f"{size} MB"):
                seconds = _run(database, f"{size}-{number}", bench.new_folder())
                copying.append(seconds[0])
                switching.append(seconds[1])
            most = MOST_SECONDS[size]
            shown = f"{found / _MB:,.0f} MB"
            rows += [
                Row(f"copying {shown}", f"under {most:g} s", f"{max(copying):.1f} s", max(copying) < most),
                Row(f"the switch after {shown}", "under 1 s", f"{max(switching):.2f} s", max(switching) < 1),
            ]
            details.append(f"{shown}: copied in {spread(copying)}, switched in {spread(switching)}.")
    text = "The slowest of each. A table with one index; pg_dump and pg_restore of the same server beside it. "
    return Result("Databases on a cluster", rows, text + " ".join(details))


def _run(database: EnvironmentDatabase, run: str, scratch: Path) -> tuple[float, float]:
    """Return the seconds of the copying and of the switch of one run."""
    found = conninfo_to_dict(database.url)
    database.begin(run)
    environment = {
        "PATH": f"{postgres.binaries()}:{os.defpath}",
        **{f"PG{name.upper()}": str(found[name]) for name in ("host", "port", "user", "password")},
        "PGDATABASE": "pipelines",
        "DPPCTL_RUN": run,
        "DPPCTL_NEXT": "pipelines_next",
        "DPPCTL_BESIDE": "postgres",
        "DPPCTL_KEPT": str(scratch / "kept.json"),
    }
    script = _SCRIPT.read_text().replace("/tmp/", f"{scratch}/")
    began = time.monotonic()
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)
    copied = time.monotonic()
    database.switch(run)
    return copied - began, time.monotonic() - copied
