"""Whatever process of a pipeline is killed: the pipeline fails with its step's name, and nothing is half-written."""

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.environment import processes_with
from tests.support.worker import Outcome, Worker
from tests.support.workloads import write_files

Files = Callable[[Mapping[str, str]], Path]

# The step that is named, by what is killed: a lane, a step of its own, or (H) the child that a lane was cut into.
VICTIMS = {"0": "load.py", "1": "killer.py", "2": "to_path.py"}
HALVES = min(2, len(os.sched_getaffinity(0)))
if HALVES > 1:  # with one core no lane is cut
    VICTIMS.update({"0H": "load.py", "2H": "to_path.py"})
KILLED_BEFORE = 8_000  # rows: lanes are cut by then, and many are still to come
CHILDREN = """
        import os

        def children(pid):
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return sorted(map(int, file.read().split()))
"""
FILES = {
    "pipeline-spec.yaml": "".join(
        f"""
        killed-{victim}:
          pipeline:
          - {{run: load, parameters: {{from: rows.csv, name: members, encoding: utf-8, infer_strategy: strings}}}}
          - {{run: update_package, parameters: {{title: members}}}}
          - {{run: killer, parameters: {{victim: {victim!r}}}}}
          - {{run: dump.to_path, parameters: {{out-path: data/{victim}}}}}
          - run: dump.to_sql
            parameters: {{engine: env://DPP_DB_ENGINE, tables: {{killed_{victim}: {{resource-name: members}}}}}}
        """
        for victim in VICTIMS
    ),
    "rows.csv": "id,text\n" + "".join(f"{number},{'text ' * 20}\n" for number in range(60_000)),
    "killer.py": f"""{CHILDREN}
        import signal, time
        from datapackage_pipelines.wrapper import process

        def kill(row, index, spec, resource_index, parameters, stats):
            if index == {KILLED_BEFORE}:
                position, half = int(parameters["victim"][0]), parameters["victim"].endswith("H")
                victim = children(os.getppid())[position]
                while half and not children(victim):  # what is behind may not have read so far
                    time.sleep(0.01)
                os.kill(children(victim)[0] if half else victim, signal.SIGKILL)
                time.sleep(0 if half else 600)
            return row

        process(process_row=kill)
    """,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def ran(folder: Path, zipapp: Path, runtime: DppEnvironment) -> Outcome:
    """Run all of them. Dumpers that are killed leave their temporary files."""
    scratch = folder / "scratch"
    scratch.mkdir()
    environment = {"DPP_DB_ENGINE": f"sqlite:///{folder / 'tables.sqlite'}", "TEST_MARK": str(folder)}
    workload = write_files(folder / "workload", FILES)
    process = Worker(zipapp, runtime, scratch).start("run", "--events", cwd=workload, **environment)
    stdout, stderr = process.communicate(timeout=300)
    return Outcome(process.returncode, [json.loads(line) for line in stdout.splitlines()], stderr)


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_pipeline_of_which_a_process_is_killed_fails_with_the_name_of_its_step(ran: Outcome, victim: str) -> None:
    result = ran.results[f"./killed-{victim}"]
    assert result["status"] == "failed"
    reason = f"processor {VICTIMS[victim]} was ended by SIGKILL (killed from outside; out of memory?)"
    assert result["error"].splitlines()[0] == reason


def test_nothing_of_it_is_half_written(ran: Outcome, folder: Path) -> None:
    assert ran.code == 1
    with sqlite3.connect(folder / "tables.sqlite") as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        left = [name for name in names if connection.execute(f'select count(*) from "{name}"').fetchone() != (0,)]
    assert left == []
    assert [path for path in (folder / "workload/data").rglob("*") if path.is_file()] == []


def test_no_process_is_left(ran: Outcome, folder: Path) -> None:
    assert ran.code == 1
    assert processes_with(f"TEST_MARK={folder}") == []


def test_the_only_pipeline_runs_in_the_ready_process_and_its_lane_into_a_database_in_two_from_the_start(
    worker: Worker, workload: Files
) -> None:
    folder = workload(
        {
            "pipeline-spec.yaml": """
                alone:
                  pipeline:
                  - run: kills
                  - {run: dump.to_path, parameters: {out-path: data}}
                  - {run: dump.to_sql, parameters: {engine: "sqlite:///t.sqlite", tables: {t: {resource-name: t}}}}
            """,
            "kills.py": f"""{CHILDREN}
        import signal, time
        from datapackage_pipelines.wrapper import ingest

        pipeline = os.getppid()
        deadline = time.monotonic() + 30
        while len(found := [child for lane in children(pipeline)[1:] for child in children(lane)]) < {HALVES - 1}:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        with open(f"/proc/{{pipeline}}/stat") as file:
            worker = file.read().rpartition(")")[2].split()[1]
        with open("seen", "w") as file:
            file.write(f"{{worker}} {{len(found) + 1}}")
        os.kill(pipeline, signal.SIGKILL)
            """,
        }
    )
    process = worker.start("run", "--events", cwd=folder, TEST_MARK=str(folder))
    stdout, _ = process.communicate(timeout=60)
    [result] = json.loads(stdout.splitlines()[-1])["receipt"]["pipelines"]
    assert (result["status"], result["error"].splitlines()[0].partition(" (")[0]) == (
        "failed",
        "dpp was ended by SIGKILL",
    )
    assert (folder / "seen").read_text() == f"{process.pid} {HALVES}"
    assert processes_with(f"TEST_MARK={folder}") == []
