"""Runs the pipelines of the matrix by the worker, in one run."""

import json
from collections.abc import Sequence
from pathlib import Path

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.worker import Worker
from tests.support.workloads import write_files
from tests.worker.runner.matrix.answers import Answer, answers
from tests.worker.runner.matrix.files import FILES
from tests.worker.runner.matrix.pipelines import spec


def run(
    zipapp: Path,
    runtime: DppEnvironment,
    folder: Path,
    runner: str,
    names: Sequence[str] = (),
    database: str | None = None,
) -> dict[str, Answer]:
    """Return the answers of these pipelines (none: of all).

    runner: auto, or dpp for dpp's own; folder: an empty one; database: URL of an empty one, none: SQLite in the folder.
    Dumpers that are killed leave temporary files in the folder.
    """
    workload, scratch = folder / "workload", folder / "scratch"
    scratch.mkdir(parents=True)
    database = database or f"sqlite:///{folder / 'tables.sqlite'}"
    write_files(workload, {**FILES, "pipeline-spec.yaml": spec()})
    arguments = ["--runner", runner, "--", *(f"./{name}" for name in names)]
    environment = {"DPP_DB_ENGINE": database, **({"DPPCTL_QUICK": "0"} if runner == "dpp" else {})}
    process = Worker(zipapp, runtime, scratch).start("run", "--events", *arguments, cwd=workload, **environment)
    stdout, stderr = process.communicate()
    results = [event["result"] for event in map(json.loads, stdout.splitlines()) if event["event"] == "finished"]
    assert results, stderr
    return answers({result["id"]: result for result in results}, workload, database)
