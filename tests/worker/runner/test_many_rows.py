"""Pipelines of many rows, whose lanes are cut: they stop at once, and their memory does not grow with the rows."""

import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.environment import processes_with
from tests.support.waiting import BUSY, eventually
from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]
SPEC = """
    {name}:
      pipeline:
      - {{run: load, parameters: {{from: {name}.csv, name: members, encoding: utf-8, infer_strategy: strings}}}}
      - {{run: set_types, parameters: {{types: {{id: {{type: integer}}}}}}}}
      - {{run: {step}}}
      - {{run: filter, parameters: {{out: [{{id: 3}}]}}}}
      - {{run: dump_to_path, parameters: {{out-path: data/{name}}}}}
"""
CHILDREN = """
    import os, time
    from datapackage_pipelines.wrapper import ingest, spew

    def read(path):
        try:
            with open(path) as file:
                return file.read()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            return ""

    def processes():
        found = [os.getppid()]
        for pid in found:
            found.extend(map(int, read(f"/proc/{pid}/task/{pid}/children").split()))
        return found

    parameters, datapackage, resources = ingest()
    stats = {"peak": 0}
"""
WATCH = (
    CHILDREN
    + """
    def watched(rows):
        for number, row in enumerate(rows):
            yield row
            if number % 2_000 == 1_999:
                lines = "".join(read(f"/proc/{pid}/status") for pid in processes()).splitlines()
                stats["peak"] = max([stats["peak"], *(int(line.split()[1]) for line in lines if "VmHWM" in line)])

    spew(datapackage, map(watched, resources), stats)
"""
)
WAIT = (
    CHILDREN
    + """
    def waiting(rows):
        for number, row in enumerate(rows):
            yield row
            if number == 9_000:
                open("running", "w").write(str(len(processes())))
                time.sleep(600)

    spew(datapackage, map(waiting, resources), stats)
"""
)


def rows(count: int) -> str:
    return "id,text\n" + "".join(f"{number},{'text ' * 10}\n" for number in range(count))


def test_a_pipeline_in_lanes_halves_and_a_process_of_its_own_stops_within_two_seconds(
    worker: Worker, workload: Files
) -> None:
    spec = SPEC.format(name="many", step="wait")
    folder = workload({"pipeline-spec.yaml": spec, "many.csv": rows(20_000), "wait.py": WAIT})
    process = worker.start("run", "--events", cwd=folder, TEST_MARK=str(folder))
    eventually(lambda: (folder / "running").exists() and (folder / "running").read_text(), "rows come through")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 2 * BUSY
    assert processes_with(f"TEST_MARK={folder}") == []
    assert process.returncode == 128 + signal.SIGTERM
    [result] = json.loads(stdout.splitlines()[-1])["receipt"]["pipelines"]
    assert result["status"] == "stopped"
    assert [path for path in (folder / "data").rglob("*") if path.is_file()] == []


def test_ten_times_the_rows_take_no_more_memory(worker: Worker, workload: Files) -> None:
    counts = {"few": 6_000, "many": 60_000}
    files = {f"{name}.csv": rows(count) for name, count in counts.items()}
    spec = "".join(SPEC.format(name=name, step="watch") for name in counts)
    outcome = worker.run(workload({**files, "pipeline-spec.yaml": spec, "watch.py": WATCH}))
    assert outcome.code == 0, outcome.results
    assert {name: outcome.results[f"./{name}"]["rows"] for name in counts} == {"few": 5_999, "many": 59_999}
    peaks = {name: outcome.results[f"./{name}"]["stats"]["peak"] for name in counts}
    assert peaks["many"] == pytest.approx(peaks["few"], rel=0.15), peaks
