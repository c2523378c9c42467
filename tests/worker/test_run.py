"""Unmodified specs, run by the worker with real dpp."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.environment import processes_with
from tests.support.waiting import BUSY, eventually
from tests.support.worker import Outcome, Worker
from tests.support.workloads import SLEEPER, write_files

Files = Callable[[Mapping[str, str]], Path]

ROWS = """
    from dataflows import Flow, update_resource

    def flow(parameters, *_):
        def members():
            for number in range(parameters.get("rows", 3)):
                yield {"id": number, "name": f"member {number}"}
        return Flow(members(), update_resource(-1, name="members", path="members.csv", **{"dpp:streaming": True}))
"""


SUCCEEDING = {
    "sub/pipeline-spec.yaml": """
        members:
          pipeline:
          - run: list_members
            code: |
                from datapackage_pipelines.wrapper import ingest, spew
                from names import NAMES
                parameters, datapackage, resources, stats = ingest() + ({},)
                datapackage["resources"].append({
                    "name": "members", "path": "members.csv", "dpp:streaming": True,
                    "schema": {"fields": [
                        {"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]}})
                rows = [{"id": number, "name": name} for number, name in enumerate(NAMES)]
                spew(datapackage, [rows], stats)
          - run: shout
          - run: dump.to_sql
            parameters:
              engine: env://DPP_DB_ENGINE
              tables:
                members: {resource-name: members}
    """,
    "sub/names.py": 'NAMES = ["Ada", "Grace", "Zoë"]',
    "sub/shout.py": """
        from datapackage_pipelines.wrapper import process

        def modify(row, *_):
            row["name"] = row["name"].upper()
            return row

        process(process_row=modify)
    """,
    "pipeline-spec.yaml": """
        flow: {pipeline: [{flow: rows, parameters: {rows: 7}}]}
        last:
          dependencies: [{pipeline: ./first}]
          pipeline:
          - run: load_resource
            parameters: {url: "dependency://./first", resource: members}
        first:
          pipeline:
          - flow: rows
          - run: dump.to_path
            parameters: {out-path: data/first}
    """,
    "rows.py": ROWS,
    "counting.source-spec.yaml": "upto: [1, 7]",
    "datapackage_pipelines_counting/__init__.py": """
        from datapackage_pipelines.generators import GeneratorBase

        class Generator(GeneratorBase):
            @classmethod
            def get_schema(cls):
                return {"type": "object"}

            @classmethod
            def generate_pipeline(cls, source, base):
                for number in source["upto"]:
                    yield f"{base}/upto-{number}", {
                        "pipeline": [{"flow": "rows", "parameters": {"rows": number}}]}
    """,
}
FAILING = {
    "pipeline-spec.yaml": """
        last:
          dependencies: [{pipeline: ./first}]
          pipeline: [{run: load_resource, parameters: {url: "dependency://./first", resource: members}}]
        first: {pipeline: [{flow: failing}]}
        to-sql:
          pipeline:
          - flow: rows
          - run: dump.to_sql
            parameters: {engine: env://DPP_DB_ENGINE, tables: {members: {resource-name: members}}}
        suicide:
          pipeline:
          - run: dies
            code: |
                import logging, os, signal
                from datapackage_pipelines.wrapper import ingest
                ingest()
                logging.info("about to be killed")
                os.kill(os.getpid(), signal.SIGKILL)
    """,
    "rows.py": ROWS,
    "failing.py": "def flow(*_):\n    raise RuntimeError('the source is gone')",
    "other/pipeline-spec.yaml": "other: {pipeline: [{run: update_package, parameters: {name: other}}]}",
}
ORIGIN = {"source": {"repository": "o/r", "path": "", "ref": "v1", "commit": "0" * 40}, "image": "i@sha256:0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def succeeded(folder: Path, zipapp: Path, runtime: DppEnvironment) -> Outcome:
    """Run pipelines that succeed. `./first` is not asked for."""
    asked = ["./sub/members", "./flow", "./upto-1", "./upto-7", "./last", f"--publication={folder / 'staged'}"]
    environment = {"DPP_DB_ENGINE": f"sqlite:///{folder / 'members.sqlite'}", "DPPCTL_ORIGIN": json.dumps(ORIGIN)}
    outcome = _run(folder / "succeeding", SUCCEEDING, zipapp, runtime, *asked, **environment)
    assert outcome.code == 0, outcome
    return outcome


@pytest.fixture(scope="module")
def failed(folder: Path, zipapp: Path, runtime: DppEnvironment) -> Outcome:
    """Run pipelines that fail, each in its own way."""
    engine = "sqlite:////nowhere/at/all.sqlite"
    outcome = _run(folder / "failing", FAILING, zipapp, runtime, DPP_DB_ENGINE=engine)
    assert outcome.code == 1
    return outcome


def _run(
    folder: Path, files: Mapping[str, str], zipapp: Path, runtime: DppEnvironment, *asked: str, **environment: str
) -> Outcome:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    return Worker(zipapp, runtime, scratch).run(write_files(folder / "workload", files), asked, **environment)


def test_a_spec_of_dpp_1_runs_as_it_is(succeeded: Outcome, folder: Path) -> None:
    result = succeeded.results["./sub/members"]
    [members] = result["resources"]
    assert [members["rows"], *(field["type"] for field in members["fields"])] == [3, "integer", "string"]
    assert (result["status"], result["rows"], result["error"]) == ("succeeded", 3, None)
    assert result["stats"]["count_of_rows"] == 3
    assert result["stats"]["bytes"] == result["bytes"] > 0
    with sqlite3.connect(folder / "members.sqlite") as connection:
        assert connection.execute("select name from members order by id").fetchall() == [
            ("ADA",), ("GRACE",), ("ZOË",)]  # fmt: skip


def test_flows_and_generators_run(succeeded: Outcome) -> None:
    rows = {name: succeeded.results[name]["rows"] for name in ("./flow", "./upto-1", "./upto-7")}
    assert rows == {"./flow": 7, "./upto-1": 1, "./upto-7": 7}


def test_the_same_rows_have_the_same_hash_and_others_another(succeeded: Outcome) -> None:
    hashes = {name: result["hash"] for name, result in succeeded.results.items()}
    assert hashes["./flow"] == hashes["./upto-7"] != hashes["./upto-1"]


def test_a_pipeline_gets_what_the_one_it_depends_on_made(succeeded: Outcome, folder: Path) -> None:
    assert (folder / "staged/files/first/datapackage.json").is_file()  # which is what is published of it
    assert {name: succeeded.results[name]["rows"] for name in ("./first", "./last")} == {"./first": 3, "./last": 3}
    order = [
        (event["event"], event["pipeline"])
        for event in succeeded.events
        if event["event"] in ("started", "finished") and event["pipeline"] in ("./first", "./last")
    ]
    assert order == [("started", "./first"), ("finished", "./first"), ("started", "./last"), ("finished", "./last")]


def test_the_receipt_tells_where_the_source_came_from(succeeded: Outcome) -> None:
    receipt = succeeded.events[-1]["receipt"]
    assert (receipt["source"], receipt["image"]) == (ORIGIN["source"], ORIGIN["image"])
    assert receipt["started"] < receipt["ended"]


def test_a_failure_comes_with_its_traceback_and_holds_up_only_what_depends_on_it(failed: Outcome) -> None:
    assert failed.results["./first"]["status"] == "failed"
    assert failed.results["./first"]["error"].endswith("RuntimeError: the source is gone")
    assert failed.results["./last"]["error"] == "not run: ./first did not succeed"
    assert failed.results["./other/other"]["status"] == "succeeded"


def test_a_database_that_refuses_is_a_failed_pipeline_with_the_reason(failed: Outcome) -> None:
    assert "unable to open database file" in failed.results["./to-sql"]["error"]


def test_a_processor_killed_from_outside_is_a_failed_pipeline_with_its_last_log_lines(failed: Outcome) -> None:
    error = failed.results["./suicide"]["error"]
    assert "was ended by SIGKILL (killed from outside; out of memory?)" in error.splitlines()[0]
    assert "about to be killed" in error


STUBBORN = """
    stubborn:
      pipeline:
      - run: stubborn
        code: |
            import os, signal, subprocess, sys, time
            from datapackage_pipelines.wrapper import ingest
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
            subprocess.Popen(sleep, start_new_session=True)
            ingest()
            open("running", "w").close()
            time.sleep(600)
"""


def test_stop_ends_every_process_within_two_seconds_and_the_next_run_starts(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": STUBBORN})
    for _ in range(2):
        process = worker.start("run", "--events", cwd=folder, TEST_MARK=str(folder))
        eventually((folder / "running").exists, "the pipeline runs")
        assert len(processes_with(f"TEST_MARK={folder}")) >= 4
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
        assert time.monotonic() - began < 2 * BUSY
        assert processes_with(f"TEST_MARK={folder}") == []
        assert process.returncode == 128 + signal.SIGTERM
        receipt = json.loads(stdout.splitlines()[-1])["receipt"]
        assert [one["status"] for one in receipt["pipelines"]] == ["stopped"]
        (folder / "running").unlink()


def test_stop_ends_a_generator_that_hangs(worker: Worker, workload: Files) -> None:
    folder = workload(
        {
            "slow.source-spec.yaml": "{}",
            "datapackage_pipelines_slow/__init__.py": """
                import time
                open("running", "w").close()
                time.sleep(600)
            """,
        }
    )
    process = worker.start("run", "--events", cwd=folder, TEST_MARK=str(folder))
    eventually((folder / "running").exists, "the generator is imported")
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert json.loads(stdout.splitlines()[-1])["receipt"]["status"] == "stopped"
    assert processes_with(f"TEST_MARK={folder}") == []


def test_nothing_survives_a_worker_that_is_killed(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = worker.start("run", cwd=folder, TEST_MARK=str(folder))
    eventually((folder / "running").exists, "the pipeline runs")
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not processes_with(f"TEST_MARK={folder}"), "dpp and its processors have ended")


def test_a_reader_that_does_not_read_holds_up_nothing(worker: Worker, workload: Files, tmp_path: Path) -> None:
    spec = """
        chatty:
          pipeline:
          - run: chatty
            code: |
                import logging
                from datapackage_pipelines.wrapper import ingest, spew
                parameters, datapackage, resources = ingest()
                for number in range(20000):
                    logging.info("line %s of a log that nobody reads", number)
                spew(datapackage, resources)
    """
    receipt = tmp_path / "receipt.json"
    folder = workload({"pipeline-spec.yaml": spec})
    process = worker.start("run", "--events", "--verbose", "--receipt", str(receipt), cwd=folder)
    eventually(receipt.exists, "the receipt, though nobody has read an event")
    stdout, _ = process.communicate(timeout=60)
    events = [json.loads(line) for line in stdout.splitlines()]
    assert process.returncode == 0
    assert sum(event.get("lines", 0) for event in events if event["event"] == "skipped_log") > 10000
    assert events[-1]["event"] == "ended"


def test_the_text_for_a_pods_log_reads_like_dpps(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": "members: {pipeline: [{flow: rows}]}", "rows.py": ROWS})
    process = worker.start("run", "all", cwd=folder)
    stdout, _ = process.communicate(timeout=120)
    assert stdout.splitlines()[0] == "./members: started"
    assert stdout.splitlines()[-1] == "./members: SUCCESS, processed 3 rows"
