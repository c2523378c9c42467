"""The runner beside plain `dpp run`: the same specs and files, whole commands, in pairs."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, numbered
from benchmarks.job import make_job
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, spread, table

PAIRS = 3
STEPS_ROWS = 1_000_000
LOAD: dict[str, Any] = {"run": "load_resource", "parameters": {"url": "data/datapackage.json", "resource": ".*"}}
CUSTOM = """\
from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()


def marked(rows):
    for row in rows:
        row["note"] = row["note"] or "none"
        yield row


spew(datapackage, (marked(rows) for rows in resources))
"""


@dataclass(frozen=True)
class Job:
    """A job, and how many times as long, and as much CPU, dpp is to take at least."""

    title: str
    make: Callable[[Path, bool], dict[str, Any]]  # writes files into the folder, small ones if so; gives the spec
    wall: float
    cpu: float
    pairs: int = PAIRS


def _big(*steps: dict[str, Any]) -> Callable[[Path, bool], dict[str, Any]]:
    def make(folder: Path, small: bool) -> dict[str, Any]:
        make_job(folder / "data", 0.02 if small else 1)
        (folder / "mark.py").write_text(CUSTOM)
        return {"job": {"pipeline": [LOAD, *steps]}}

    return make


def _million(folder: Path, small: bool) -> dict[str, Any]:
    rows = 10_000 if small else STEPS_ROWS
    with (folder / "rows.csv").open("w") as file:
        file.write("id,word,amount\n")
        file.writelines(f"{number},w{number * 7919 % 10007},{number / 4}\n" for number in range(rows))
    types = {"id": {"type": "integer"}, "amount": {"type": "number"}}
    total = {"target": "total", "operation": "sum", "source": ["id", "amount"]}
    return {
        "job": {
            "pipeline": [
                {"run": "load", "parameters": {"from": "rows.csv", "name": "rows"}},
                {"run": "set_types", "parameters": {"types": types}},
                {"run": "add_computed_field", "parameters": {"fields": [total]}},
                {"run": "filter", "parameters": {"out": [{"word": "w1"}]}},
                {"run": "delete_fields", "parameters": {"fields": ["amount"]}},
                {"run": "dump_to_path", "parameters": {"out-path": "out"}},
            ]
        }
    }


def _small(folder: Path, _small: bool) -> dict[str, Any]:
    (folder / "rows.csv").write_text("id,word\n1,a\n2,b\n")
    load = {"run": "load", "parameters": {"from": "rows.csv", "name": "rows"}}
    return {
        f"job-{number}": {"pipeline": [load, {"run": "dump_to_path", "parameters": {"out-path": f"out/{number}"}}]}
        for number in range(20)
    }


def _empty(_folder: Path, _small: bool) -> dict[str, Any]:
    return {"job": {"pipeline": [{"run": "update_package", "parameters": {"name": "empty"}}]}}


NEW_DUMP = {"run": "dump_to_path", "parameters": {"out-path": "out"}}
OLD_DUMP = {"run": "dump.to_path", "parameters": {"out-path": "out"}}
JOBS = {
    "new-dump": Job("90,088 rows, load_resource and dump_to_path", _big(NEW_DUMP), 2.7, 4),
    "old-dump": Job("90,088 rows, load_resource and dump.to_path", _big(OLD_DUMP), 2, 3.3),
    "custom": Job("a step of the workload's own in the middle", _big({"run": "mark"}, NEW_DUMP), 2.6, 3.2),
    "million": Job("six standard steps, 1,000,000 rows", _million, 5, 5, pairs=1),
    "small": Job("20 small pipelines", _small, 12, 20),
    "nothing": Job("a pipeline that does nothing", _empty, 1.5, 1.9),
}


def benchmark(name: str) -> Callable[[Bench], Result]:
    """Return the benchmark of one of the JOBS."""
    return lambda bench: _measured(bench, JOBS[name])


def _measured(bench: Bench, job: Job) -> Result:
    workload = bench.new_folder()
    (workload / "pipeline-spec.yaml").write_text(json.dumps(job.make(workload, bench.quick)))
    pairs: list[tuple[Measured, Measured]] = []
    for number in numbered(1 if bench.quick else job.pairs, "pair"):
        both = [lambda: bench.dpp(workload, "sqlite://", "all"), lambda: bench.dppctl(workload, "all")]
        order = both if number % 2 else both[::-1]
        found = [run() for run in order]
        pairs.append((found[0], found[1]) if number % 2 else (found[1], found[0]))
    rows = [_row(job, pairs, "wall", "wall", job.wall), _row(job, pairs, "all_cpu", "CPU", job.cpu)]
    lines = [(number, *_figures(dpp), *_figures(ours)) for number, (dpp, ours) in enumerate(pairs, 1)]
    head = ("pair", "dpp wall s", "dpp CPU s", "dppctl wall s", "dppctl CPU s")
    return Result(f"The runner: {job.title}", rows, table(head, lines))


def _row(job: Job, pairs: list[tuple[Measured, Measured]], what: str, label: str, bar: float) -> Row:
    ratios = [getattr(dpp, what) / getattr(ours, what) for dpp, ours in pairs]
    ratio = statistics.median(ratios)
    return Row(f"{job.title}, {label}: dpp / dppctl", f"at least {bar} x", spread(ratios, " x"), ratio >= bar)


def _figures(found: Measured) -> tuple[str, str]:
    return f"{found.wall:.2f}", f"{found.all_cpu:.2f}"
