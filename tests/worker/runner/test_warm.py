"""Pipelines that the warm process forks: who runs them, and what their steps find."""

import sqlite3
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.environment import processes_with
from tests.support.worker import Outcome, Worker
from tests.support.workloads import write_files

SHOUT = "{run: update_package, parameters: {name: a}}"
TO_SQL = (
    "{{run: dump.to_sql, parameters: {{engine: env://DPP_DB_ENGINE, tables: {{{0}: {{resource-name: members}}}}}}}}"
)
FILES = {
    "pipeline-spec.yaml": f"""
        cached: {{pipeline: [{SHOUT}, {{run: update_package, cache: true, parameters: {{name: b}}}}]}}
        zoned: {{environment: {{TZ: Asia/Jerusalem}}, pipeline: [{SHOUT}]}}
        lanes: {{pipeline: [{SHOUT}, {{run: add_metadata, parameters: {{title: b}}}}]}}
        overridden: {{pipeline: [{SHOUT}, {{run: printer}}]}}
        fresh:
          environment: {{GREETING: shalom}}
          pipeline:
          - {{flow: rows}}
          - run: fresh
            code: |
                import atexit, logging, os, sys
                assert logging.root.handlers == [], "no logging yet"
                assert not {{"rows", "datapackage_pipelines.wrapper"}} & set(sys.modules)
                assert sys.argv[0] == __file__ and sys.path[0] == os.path.dirname(__file__) and __name__ == "__main__"
                never_closed = open("never-closed", "w")
                never_closed.write("all of it")
                atexit.register(lambda: open("at-exit", "w").close())
                from datapackage_pipelines.wrapper import ingest, spew
                with ingest() as ctx:
                    print("within")
                    ctx.stats["greeting"] = os.environ["GREETING"]
          - {{run: printer}}
        dead:
          pipeline:
          - run: dies
            code: |
                import os, signal
                from datapackage_pipelines.wrapper import ingest, spew
                parameters, datapackage, resources = ingest()
                datapackage["resources"].append({{
                    "name": "members", "path": "members.csv", "dpp:streaming": True,
                    "schema": {{"fields": [{{"name": "id", "type": "integer"}}]}}}})
                def rows():
                    for number in range(20000):
                        yield {{"id": number}}
                    os.kill(os.getpid(), signal.SIGKILL)
                spew(datapackage, [rows()])
          - {TO_SQL.format("dead")}
    """,
    "shadow/pipeline-spec.yaml": f"shadowed: {{pipeline: [{SHOUT}]}}",
    # With these first on the path dpp itself could not start.
    "requests.py": "",
    "shadow/requests.py": "",
    "shadow/own/pipeline-spec.yaml": "kvfile: {pipeline: [{run: reads}]}",
    "shadow/own/kvfile.py": "OF = 'the workload'",
    "shadow/own/reads.py": """
        import kvfile
        from datapackage_pipelines.wrapper import process
        process(modify_datapackage=lambda datapackage, _, stats: stats.update(kvfile=kvfile.OF) or datapackage)
    """,
    "processors/printer.py": """
        from datapackage_pipelines.wrapper import ingest, spew
        parameters, datapackage, resources = ingest()
        spew({**datapackage, "title": "overridden"}, resources, {"printer": "mine"})
    """,
    "rows.py": """
        from dataflows import Flow, update_resource

        def flow(parameters, *_):
            def members():
                for number in range(parameters.get("rows", 3)):
                    yield {"id": number, "name": f"member {number}"}
            return Flow(
                members(), update_resource(-1, name="members", path="members.csv", **{"dpp:streaming": True}))
    """,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warm")


@pytest.fixture(scope="module")
def ran(folder: Path, zipapp: Path, runtime: DppEnvironment) -> Outcome:
    """Run all of them at once."""
    scratch = folder / "scratch"
    scratch.mkdir()
    workload = write_files(folder / "workload", FILES)
    return Worker(zipapp, runtime, scratch).run(
        workload,
        DPP_DB_ENGINE=f"sqlite:///{folder / 'tables.sqlite'}",
        DPP_PROCESSOR_PATH=str(workload / "processors"),
        TEST_MARK=str(folder),
    )


def test_who_runs_a_pipeline_is_said_before_it_starts_and_in_the_receipt(ran: Outcome) -> None:
    runners = {name: result["runner"] for name, result in ran.results.items()}
    assert runners == {
        "./cached": "dpp: step 2 has cache",
        "./zoned": "dpp: its environment sets TZ",
        "./shadow/shadowed": "lanes",
        "./shadow/own/kvfile": "dpp: kvfile in own has the name of a module that is loaded",
        "./lanes": "lanes",
        "./overridden": "lanes: step 2 has a process of its own",
        "./fresh": "processes: steps 1, 2, 3 have processes of their own",
        "./dead": "lanes: step 1 has a process of its own",
    }
    queued = {event["pipeline"]: event["runner"] for event in ran.events if event["event"] == "queued"}
    assert queued == runners


def test_a_step_of_its_own_finds_a_fresh_interpreter_and_ends_like_one(ran: Outcome, folder: Path) -> None:
    assert ran.results["./fresh"]["error"] is None
    assert ran.results["./fresh"]["stats"]["greeting"] == "shalom"
    assert (folder / "workload/never-closed").read_text() == "all of it"
    assert (folder / "workload/at-exit").exists()


def test_modules_beside_a_spec_are_found_where_dpp_finds_them(ran: Outcome) -> None:
    assert ran.results["./shadow/shadowed"]["error"] is None
    assert ran.results["./shadow/own/kvfile"]["error"] is None
    assert ran.results["./shadow/own/kvfile"]["stats"]["kvfile"] == "the workload"


def test_a_processor_path_takes_the_place_of_a_standard_processor(ran: Outcome) -> None:
    assert ran.results["./overridden"]["stats"] == {"printer": "mine"}


def test_a_step_that_dies_is_a_failure_and_nothing_behind_it_is_committed(ran: Outcome, folder: Path) -> None:
    result = ran.results["./dead"]
    assert result["status"] == "failed"
    assert "was ended by SIGKILL" in result["error"].splitlines()[0]
    with sqlite3.connect(folder / "tables.sqlite") as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        left = [name for name in names if connection.execute(f"select count(*) from {name}").fetchone() != (0,)]
    assert left == []


def test_no_process_is_left(ran: Outcome, folder: Path) -> None:
    assert ran.code == 1
    assert processes_with(f"TEST_MARK={folder}") == []
