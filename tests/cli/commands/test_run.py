"""`dppctl run` as a user sees it."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support import seed
from tests.support.command import Dppctl, dppctl_in
from tests.support.environment import processes_with
from tests.support.waiting import BUSY, eventually
from tests.support.workloads import SLEEPER, write_files

Files = Callable[[Mapping[str, str]], Path]

MEMBERS = {
    "pipeline-spec.yaml": """
        members:
          pipeline:
          - flow: rows
          - run: dump.to_sql
            parameters:
              engine: env://DPP_DB_ENGINE
              tables: {members: {resource-name: members}}
        failing:
          pipeline: [{flow: failing}]
    """,
    "rows.py": """
        import os
        from dataflows import Flow, update_resource

        def flow(*_):
            rows = ({"id": number, "name": os.environ.get("NAME", "nobody")} for number in range(1234))
            return Flow(rows, update_resource(-1, name="members", path="members.csv", **{"dpp:streaming": True}))
    """,
    "failing.py": "def flow(*_):\n    raise RuntimeError('the source is gone')",
}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, runtime: DppEnvironment) -> list[CompletedProcess[str]]:
    """Run a workload twice at once: a person looks at the first run, a program at the second."""
    assert runtime.bin.is_dir()
    folder = tmp_path_factory.mktemp("at-once")
    dppctl = dppctl_in(folder / "data")
    workload = write_files(folder / "workload", MEMBERS)
    commands = (["run", "./members", "--env", "NAME=Ada"], ["run", "members", "--output", "json"])
    runs = [dppctl.start(*command, cwd=workload) for command in commands]
    outputs = [run.communicate(timeout=300) for run in runs]
    return [CompletedProcess(run.args, run.returncode, *output) for run, output in zip(runs, outputs, strict=True)]


def test_two_runs_of_one_workload_at_once_do_not_disturb_each_other(at_once: list[CompletedProcess[str]]) -> None:
    assert [done.returncode for done in at_once] == [0, 0], at_once


def test_it_reads_like_the_usage_example_and_the_rows_are_in_the_database(
    at_once: list[CompletedProcess[str]],
) -> None:
    done = at_once[0]
    name = r"[a-z0-9]{12}"
    expected = rf"""Using the local cluster
Assigned Worker Pod: dppctl-worker-{name}
Assigned DB Pod: dppctl-db-{name}
DB Web UI is available at http://127\.0\.0\.1:\d+/\S+
System: SQLite, File: (?P<file>\S+\.sqlite) .*
\./members: WAITING FOR OUTPUT
(\./members: RUNNING, processed \d+ rows
)*\./members: SUCCESS, processed 1234 rows
RESOURCE   ROWS  COLUMNS  WHERE *
members   1,234        2  table members *
INFO    :RESULTS:
INFO    :SUCCESS: \./members {{'bytes': \d+, 'count_of_rows': 1234, 'dataset_name': '_', 'hash': '[0-9a-f]{{32}}'}}
Unassigned Worker Pod
"""
    told = re.fullmatch(expected, done.stdout)
    assert told, done.stdout
    example = seed.answer_to(seed.TO_DB, "dppctl run ./dump-to-db")
    assert seed.not_said(example, done.stdout.replace("members", "dump-to-db"), seed.ON_THIS_MACHINE) == []
    with sqlite3.connect(told["file"]) as connection:
        assert connection.execute("select count(*), min(name) from members").fetchall() == [(1234, "Ada")]


def test_json_is_events_and_then_the_receipt(at_once: list[CompletedProcess[str]]) -> None:
    *events, receipt = [json.loads(line) for line in at_once[1].stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "assigned", "queued", "started", "finished"]  # fmt: skip
    assert receipt["status"] == "succeeded"
    assert receipt["pipelines"][0]["resources"][0]["rows"] == 1234


def test_a_failed_pipeline_is_exit_code_1_and_its_last_lines(dppctl: Dppctl, workload: Files) -> None:
    done = dppctl("run", "./failing", cwd=workload(MEMBERS))
    assert done.returncode == 1
    assert "./failing: FAILURE, processed 0 rows" in done.stdout
    assert "| RuntimeError: the source is gone\n+--------" in done.stdout
    nothing_is_kept(dppctl)  # a database that nothing was put into goes with its pod


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["./member"], "./member: no such pipeline; did you mean ./members? known: ./failing, ./members"),
        (["--workload", "nowhere"], "nowhere"),
        (["--db", "postgre"], "'postgre' is no database; choose sqlite, postgres or a SQLAlchemy URL"),
        (["--db", "postgresql://me:hush@127.0.0.1:1/x"], "connection refused"),
        (["--env", "NAME"], "--env NAME: must be NAME=VALUE"),
        (["--concurrency", "0"], "0 is not in the range 1<=x<=64"),
        (["--keep", "soon"], "soon"),
        (["--workload", "http://127.0.0.1:1/w.zip"], "127.0.0.1:1"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    dppctl: Dppctl, workload: Files, arguments: list[str], told: str
) -> None:
    done = dppctl("run", *arguments, cwd=workload(MEMBERS))
    assert done.returncode == 2
    assert told.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith(("Usage", "Try", "\n"))]) <= 2
    nothing_is_kept(dppctl)


def nothing_is_kept(dppctl: Dppctl) -> None:
    assert not list((dppctl.data / "pods").glob("*"))
    assert not list((dppctl.data / "databases").glob("*"))


def test_a_run_that_is_refused_keeps_no_pods_and_no_database(dppctl: Dppctl, workload: Files) -> None:
    assert dppctl("run", "./member", "--keep", "1h", cwd=workload(MEMBERS)).returncode == 2
    nothing_is_kept(dppctl)


def test_a_mistake_in_a_spec_is_told_with_its_line(dppctl: Dppctl, workload: Files) -> None:
    done = dppctl("run", cwd=workload({"pipeline-spec.yaml": "render:\n  pipline: []\n"}))
    assert done.returncode == 2
    assert done.stderr == "dppctl: pipeline-spec.yaml:2: unknown key `pipline:`; did you mean `pipeline:`?\n"


PACKAGES = {
    "pipeline-spec.yaml": """
        good:
          pipeline:
          - run: load
            parameters: {from: in.csv, name: good}
          - run: dump_to_path
            parameters: {out-path: "data/100% good, é"}
        after-dump:
          pipeline:
          - run: load
            parameters: {from: in.csv, name: t}
          - run: dump_to_path
            parameters: {out-path: data/u}
          - run: check_rows
    """,
    "check_rows.py": """
        from datapackage_pipelines.wrapper import ingest, spew

        _, datapackage, resources = ingest()

        def checked(rows):
            yield from rows
            raise ValueError("not enough")

        spew(datapackage, (checked(rows) for rows in resources))
    """,
    "in.csv": "x\n1\n",
}


def test_what_a_failed_pipeline_wrote_is_not_published(dppctl: Dppctl, workload: Files) -> None:
    done = dppctl("run", "--concurrency", "2", cwd=workload(PACKAGES))
    assert done.returncode == 1
    synced = done.stdout.partition("Syncing Data Packages to Local Storage\n")[2].partition("\nUnassigned")[0]
    assert re.fullmatch(r"data/100% good, é > http://127\.0\.0\.1:\d+/[\w-]+/100%25%20good%2C%20%C3%A9/", synced), done
    assert "data/u is not published: a pipeline that did not succeed wrote it\n" in done.stderr


@pytest.mark.parametrize("output", ["text", "json"])
def test_no_room_for_what_is_published_does_not_lose_the_receipt(dppctl: Dppctl, workload: Files, output: str) -> None:
    (dppctl.data / "storage").touch()  # a file stands in the way
    done = dppctl("run", "./good", "--output", output, cwd=workload(PACKAGES))
    assert done.returncode == 1
    assert re.fullmatch(r"dppctl: cannot publish to \S+/storage/\S+: .*\n", done.stderr)
    last = done.stdout.splitlines()[-1]
    assert json.loads(last)["status"] == "succeeded" if output == "json" else last == "Unassigned Worker Pod"
    assert "./good: SUCCESS, processed 1 rows" in done.stdout or output == "json"


def test_ctrl_c_ends_everything(dppctl: Dppctl, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = dppctl.start("run", cwd=folder, TEST_MARK=str(folder))
    eventually((folder / "running").exists, "the pipeline runs")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 4 * BUSY
    assert process.returncode == 130
    assert "./sleeper: STOPPED, processed 0 rows" in stdout
    eventually(lambda: not processes_with(f"TEST_MARK={folder}"), "all processes have ended")


def test_nothing_survives_a_command_that_is_killed(dppctl: Dppctl, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = dppctl.start("run", cwd=folder, TEST_MARK=str(folder))
    eventually((folder / "running").exists, "the pipeline runs")
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not processes_with(f"TEST_MARK={folder}"), "all processes have ended")
    assert dppctl("list", "pods").stdout.strip() == "[]"


def test_several_pipelines_write_into_one_sqlite_file_at_once_and_verbose_shows_dpps_log(
    dppctl: Dppctl, workload: Files
) -> None:
    tables = "{%s: {resource-name: members}}"
    steps = "[{flow: rows}, {run: dump.to_sql, parameters: {engine: 'env://DPP_DB_ENGINE', tables: %s}}]"
    spec = "".join(f"members-{n}: {{pipeline: {steps % (tables % f'members_{n}')}}}\n" for n in range(3))
    done = dppctl("run", "--concurrency", "3", "--verbose", cwd=workload({**MEMBERS, "pipeline-spec.yaml": spec}))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": SUCCESS, processed 1234 rows\n") == 3
    started = r"^\[\./members-0\] >>> INFO    :[0-9a-f]{8} RUNNING \./members-0$"
    assert re.search(started, done.stdout, re.MULTILINE)


ONE_STEP = {**MEMBERS, "pipeline-spec.yaml": "members: {pipeline: [{flow: rows}]}"}


def test_on_a_terminal_it_shows_rows_as_they_come_and_colors(dppctl: Dppctl, workload: Files) -> None:
    text = _on_a_terminal(dppctl, workload(ONE_STEP))
    assert "\x1b[2K" in text, "lines are drawn anew"
    assert "./members: WAITING FOR OUTPUT" in text
    assert "\x1b[32m./members: SUCCESS, processed 1234 rows" in text


def test_no_color_leaves_the_colors_out(dppctl: Dppctl, workload: Files) -> None:
    text = _on_a_terminal(dppctl, workload(ONE_STEP), NO_COLOR="1")
    assert "./members: SUCCESS, processed 1234 rows" in text
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?(?:3|4|9|10)[0-7](?:;[0-9;]*)?m", text), "a color of text or ground"


def _on_a_terminal(dppctl: Dppctl, folder: Path, **variables: str) -> str:
    """Return what a run of ./members writes to a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "run", "./members"]
    environment = {**dppctl.environment, "TERM": "xterm", "COLUMNS": "100", **variables}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # what Linux says when the other side is closed


@pytest.mark.needs("PostgreSQL")
def test_a_private_postgresql_takes_the_rows(dppctl: Dppctl, workload: Files) -> None:

    done = dppctl("run", "./members", "--db", "postgres", cwd=workload(MEMBERS))
    assert done.returncode == 0, done
    assert re.search(r"^System: PostgreSQL, Server: \S+, Username: postgres, Password: \S+", done.stdout, re.MULTILINE)
    assert "./members: SUCCESS, processed 1234 rows" in done.stdout
