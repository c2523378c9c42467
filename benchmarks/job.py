"""The job of the usage example: 9 resources, 90,088 rows, about 14 MB of CSV, made the same on every machine.

The real data package isn't public any more; this one has its resources' names, and columns of the kinds that such
data has: numbers, names in Hebrew, dates, times, links.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.bench import Bench

ROWS = {
    "gcs_document_committee_session_files": 12_000,
    "gcs_list_files": 9_500,
    "joined-meetings": 17_000,
    "kns_cmtsessionitem": 18_500,
    "kns_cmtsitecode": 120,
    "kns_committee": 820,
    "kns_committeesession": 16_800,
    "kns_documentcommitteesession": 15_100,
    "kns_jointcommittee": 248,
}
WORDS = (  # noqa: SIM905
    "ועדה ישיבה פרוטוקול דיון תקציב חינוך בריאות כלכלה חוק הצעה כנסת משכן סדר יום תקנות רפואה תחבורה"
).split()


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    value: Callable[[random.Random, int], object]


COLUMNS = (
    Column("id", "integer", lambda _, row: row + 1),
    Column("committee_id", "integer", lambda dice, _: dice.randrange(1, 900)),
    Column("title", "string", lambda dice, _: " ".join(dice.choices(WORDS, k=dice.randrange(3, 7)))),
    Column("share", "number", lambda dice, _: round(dice.random() * 1000, 3)),
    Column("held", "date", lambda dice, _: date(1999, 1, 1) + timedelta(dice.randrange(7000))),
    Column("updated", "datetime", lambda dice, _: _moment(dice)),
    Column("open", "boolean", lambda dice, _: dice.choice(("true", "false"))),
    Column("url", "string", lambda dice, row: f"https://example.org/files/{dice.getrandbits(48):012x}/{row}.doc"),
    Column("note", "string", lambda dice, _: dice.choice(WORDS) if dice.random() < 0.3 else ""),
)


def make_job(folder: Path, scale: float = 1.0) -> int:
    """Write datapackage.json and the CSV files; return the number of rows. `scale` makes it smaller."""
    dice = random.Random(90_088)
    folder.mkdir()
    rows = {name: max(1, round(count * scale)) for name, count in ROWS.items()}
    for name, count in rows.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(column.name for column in COLUMNS)
            writer.writerows([column.value(dice, row) for column in COLUMNS] for row in range(count))
    schema = {"fields": [{"name": column.name, "type": column.type} for column in COLUMNS]}
    resources = [
        {"name": name, "path": f"{name}.csv", "profile": "tabular-data-resource", "schema": schema} for name in ROWS
    ]
    (folder / "datapackage.json").write_text(json.dumps({"name": "committees", "resources": resources}))
    return sum(rows.values())


def write_spec(folder: Path, url: str) -> None:
    """Write the pipeline-spec.yaml of the usage example, `./dump-to-db`. JSON is YAML."""
    steps = [
        {"run": "load_resource", "parameters": {"url": f"{url}/datapackage.json", "resource": ".*"}},
        {
            "run": "dump.to_sql",
            "parameters": {
                "engine": "env://DPP_DB_ENGINE",
                "tables": {table_of(name): {"resource-name": name} for name in ROWS},
            },
        },
    ]
    (folder / "pipeline-spec.yaml").write_text(json.dumps({"dump-to-db": {"pipeline": steps}}, indent=2))


def table_of(resource: str) -> str:
    return resource.replace("-", "_")


@contextmanager
def big_job(bench: Bench) -> Iterator[tuple[Path, int]]:
    """Make the big job's workload, serve its data while this lasts; give it and its number of rows."""
    data = bench.new_folder() / "data"
    rows = make_job(data, 0.02 if bench.quick else 1)
    with served(data) as url:
        workload = bench.new_folder()
        write_spec(workload, url)
        yield workload, rows


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the folder on loopback and give its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _moment(dice: random.Random) -> str:
    return f"{datetime(2000, 1, 1) + timedelta(seconds=dice.randrange(6 * 10**8)):%Y-%m-%dT%H:%M:%SZ}"
