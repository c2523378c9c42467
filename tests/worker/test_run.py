"""Unmodified specs, run by the worker with real dpp."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.environment import processes_with
from tests.support.waiting import BUSY, eventually
from tests.support.worker import Worker
from tests.support.workloads import SLEEPER

Files = Callable[[Mapping[str, str]], Path]

ROWS = """
    from dataflows import Flow, update_resource

    def flow(parameters, *_):
        def members():
            for number in range(parameters.get("rows", 3)):
                yield {"id": number, "name": f"member {number}"}
        return Flow(members(), update_resource(-1, name="members", path="members.csv", **{"dpp:streaming": True}))
"""


def test_a_spec_of_dpp_1_runs_as_it_is(worker: Worker, workload: Files) -> None:
    folder = workload(
        {
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
        }
    )
    database = folder / "members.sqlite"
    outcome = worker.run(folder, DPP_DB_ENGINE=f"sqlite:///{database}")
    assert outcome.code == 0, outcome
    result = outcome.results["./sub/members"]
    fields = [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]
    assert result["resources"] == [{"name": "members", "rows": 3, "fields": fields}]
    assert (result["status"], result["rows"], result["error"]) == ("succeeded", 3, None)
    assert result["stats"]["count_of_rows"] == 3
    assert result["stats"]["bytes"] == result["bytes"] > 0
    with sqlite3.connect(database) as connection:
        assert connection.execute("select name from members order by id").fetchall() == [
            ("ADA",), ("GRACE",), ("ZOË",)]  # fmt: skip


def test_flows_and_generators_run(worker: Worker, workload: Files) -> None:
    folder = workload(
        {
            "pipeline-spec.yaml": "flow: {pipeline: [{flow: rows, parameters: {rows: 7}}]}",
            "rows.py": ROWS,
            "counting.source-spec.yaml": "upto: [1, 2]",
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
    )
    outcome = worker.run(folder)
    assert outcome.code == 0, outcome
    assert {name: result["rows"] for name, result in outcome.results.items()} == {
        "./flow": 7, "./upto-1": 1, "./upto-2": 2}  # fmt: skip


def test_the_same_rows_have_the_same_hash_and_others_another(worker: Worker, workload: Files) -> None:
    spec = """
        first: {pipeline: [{flow: rows, parameters: {rows: 5}}]}
        second: {pipeline: [{flow: rows, parameters: {rows: 5}}]}
        third: {pipeline: [{flow: rows, parameters: {rows: 6}}]}
    """
    results = worker.run(workload({"pipeline-spec.yaml": spec, "rows.py": ROWS})).results
    assert results["./first"]["hash"] == results["./second"]["hash"] != results["./third"]["hash"]


DEPENDING = {
    "pipeline-spec.yaml": """
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
}


def test_a_pipeline_gets_what_the_one_it_depends_on_made(worker: Worker, workload: Files) -> None:
    outcome = worker.run(workload(DEPENDING), ["./last"])
    assert outcome.code == 0, outcome
    assert {name: result["rows"] for name, result in outcome.results.items()} == {"./first": 3, "./last": 3}
    order = [
        (event["event"], event["pipeline"]) for event in outcome.events if event["event"] in ("started", "finished")
    ]
    assert order == [("started", "./first"), ("finished", "./first"), ("started", "./last"), ("finished", "./last")]


def test_a_failure_comes_with_its_traceback_and_holds_up_only_what_depends_on_it(
    worker: Worker, workload: Files
) -> None:
    files = {**DEPENDING, "rows.py": "def flow(*_):\n    raise RuntimeError('the source is gone')"}
    files["other/pipeline-spec.yaml"] = "other: {pipeline: [{run: update_package, parameters: {name: other}}]}"
    outcome = worker.run(workload(files))
    assert outcome.code == 1
    assert outcome.results["./first"]["status"] == "failed"
    assert outcome.results["./first"]["error"].endswith("RuntimeError: the source is gone")
    assert outcome.results["./last"]["error"] == "not run: ./first did not succeed"
    assert outcome.results["./other/other"]["status"] == "succeeded"


def test_a_database_that_refuses_is_a_failed_pipeline_with_the_reason(worker: Worker, workload: Files) -> None:
    spec = """
        to-sql:
          pipeline:
          - flow: rows
          - run: dump.to_sql
            parameters: {engine: env://DPP_DB_ENGINE, tables: {members: {resource-name: members}}}
    """
    folder = workload({"pipeline-spec.yaml": spec, "rows.py": ROWS})
    outcome = worker.run(folder, DPP_DB_ENGINE="sqlite:////nowhere/at/all.sqlite")
    assert outcome.code == 1
    assert "unable to open database file" in outcome.results["./to-sql"]["error"]


def test_a_processor_killed_from_outside_is_a_failed_pipeline_with_its_last_log_lines(
    worker: Worker, workload: Files
) -> None:
    spec = """
        suicide:
          pipeline:
          - run: dies
            code: |
                import logging, os, signal
                from datapackage_pipelines.wrapper import ingest
                ingest()
                logging.info("about to be killed")
                os.kill(os.getpid(), signal.SIGKILL)
    """
    outcome = worker.run(workload({"pipeline-spec.yaml": spec}))
    error = outcome.results["./suicide"]["error"]
    assert outcome.code == 1
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
    stdout, _ = process.communicate(timeout=60)
    assert stdout.splitlines()[0] == "./members: started"
    assert stdout.splitlines()[-1] == "./members: SUCCESS, processed 3 rows"


def test_the_receipt_tells_where_the_source_came_from(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": "members: {pipeline: [{flow: rows}]}", "rows.py": ROWS})
    origin = {"source": {"repository": "o/r", "path": "", "ref": "v1", "commit": "0" * 40}, "image": "i@sha256:0"}
    receipt = worker.run(folder, DPPCTL_ORIGIN=json.dumps(origin)).events[-1]["receipt"]
    assert receipt["source"] == origin["source"]
    assert receipt["image"] == origin["image"]
    assert receipt["started"] < receipt["ended"]
