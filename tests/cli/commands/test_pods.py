"""`dppctl list pods`, `dppctl stop` and `dppctl ssh`, after real runs."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path

import pytest

from cluster.local.sessions import record, supervisor
from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support import seed
from tests.support.command import Dppctl

PIPELINES = {
    "pipeline-spec.yaml": """
        zones:
          pipeline:
          - run: zones
          - run: dump.to_sql
            parameters:
              engine: env://DPP_DB_ENGINE
              tables: {zones: {resource-name: zones}}
    """,
    "zones.py": """
        from datapackage_pipelines.wrapper import ingest
        from datapackage_pipelines.utilities.resources import PROP_STREAMING

        with ingest() as context:
            schema = {"fields": [{"name": "name", "type": "string"}]}
            resource = {"name": "zones", "path": "zones.csv", PROP_STREAMING: True, "schema": schema}
            context.datapackage["resources"] = [resource]
            context.resource_iterator = [[{"name": "Asia/Jerusalem"}, {"name": "Europe/Prague"}]]
    """,
}


Names = tuple[str, str]


@pytest.fixture
def ran(dppctl: Dppctl, workload: Callable[[Mapping[str, str]], Path]) -> Iterator[Callable[..., Names]]:
    """Runs a pipeline and keeps its pods; gives the names of the worker and of the database."""
    folder = workload(PIPELINES)

    def run(*arguments: str) -> Names:
        done = dppctl("run", "--keep", "10m", *arguments, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return assigned(done.stdout)

    yield run
    dppctl("stop", "all")


@pytest.fixture
def kept(dppctl: Dppctl, runtime: DppEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The pods of a run that is over, without the time that dpp takes."""
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(dppctl.data))
    (tmp_path / "workload").mkdir()
    worker = record.create("worker", workload=str(tmp_path / "workload"), path=str(runtime.bin))
    db = record.create("db")
    supervisor.start(worker, "sqlite", db, 600).release()
    yield worker.name, db.name
    dppctl("stop", "all")


def assigned(said: str) -> Names:
    worker = re.search(r"Assigned Worker Pod: (\S+)", said)
    db = re.search(r"Assigned DB Pod: (\S+)", said)
    assert worker
    assert db
    return worker[1], db[1]


def listed(dppctl: Dppctl) -> list[dict[str, str]]:
    known: list[dict[str, str]] = json.loads(dppctl("list", "pods").stdout)
    return known


def test_nothing_runs_at_first(dppctl: Dppctl) -> None:
    assert listed(dppctl) == []
    assert dppctl("stop", "all").stdout == "No pod runs\n"


def test_kept_pods_are_listed_as_available_and_can_be_stopped_one_by_one(
    dppctl: Dppctl, ran: Callable[..., Names]
) -> None:
    worker, db = ran("./zones")
    known = listed(dppctl)
    assert {(pod["name"], pod["status"], pod["pipeline"]) for pod in known} == {
        (worker, "available", "./zones"),
        (db, "available", "./zones"),
    }
    assert all(re.fullmatch(r"(\d+m)?\d+s", pod["age"]) for pod in known)
    assert dppctl("stop", worker).stdout == f"Stopped {worker}\n"
    assert [pod["name"] for pod in listed(dppctl)] == [db]
    file = dppctl.data / "databases" / f"{db}.sqlite"
    assert dppctl("stop", db).stdout == f"Stopped {db}; its data stays in {file}\n"
    assert file.exists()
    assert listed(dppctl) == []


def test_a_run_can_be_stopped_by_its_workers_name_and_its_database_is_kept(
    dppctl: Dppctl, workload: Callable[[Mapping[str, str]], Path]
) -> None:
    folder = workload({**PIPELINES, "zones.py": "import time; time.sleep(600)"})
    run = dppctl.start("run", "--keep", "10m", cwd=folder)
    try:
        assert run.stdout
        worker, db = assigned("".join(takewhile(lambda line: "WAITING FOR OUTPUT" not in line, run.stdout)))
        assert {pod["name"]: pod["status"] for pod in listed(dppctl)} == {worker: "assigned", db: "assigned"}
        assert dppctl("stop", worker).stdout == f"Stopped {worker}\n"
        assert "./zones: STOPPED" in run.communicate(timeout=60)[0]
        assert run.returncode == 143
        assert [(pod["name"], pod["status"]) for pod in listed(dppctl)] == [(db, "available")]
        assert dppctl("stop", db).stdout == f"Stopped {db}\n", "nothing was put into it, so there is nothing to stay"
    finally:
        run.kill()
        run.communicate()
        dppctl("stop", "all")


def test_an_unknown_name_is_refused_before_anything_is_stopped(dppctl: Dppctl, kept: Names) -> None:
    worker, db = kept
    done = dppctl("stop", worker, "nobody")
    assert done.returncode == 2
    assert done.stderr.startswith("dppctl: no pod 'nobody' here; known: dppctl-")
    assert done.stderr.count("\n") == 1
    assert {pod["name"] for pod in listed(dppctl)} == {worker, db}
    assert dppctl("ssh", "nobody").returncode == 2


def test_a_shell_in_the_worker_has_dpp_and_the_database(dppctl: Dppctl, ran: Callable[..., Names]) -> None:
    worker, db = ran()
    shell = {**dppctl.environment, "SHELL": "/bin/sh"}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "ssh", worker],
        input="command -v dpp; pwd; echo $DPP_DB_ENGINE; ls; dpp; dpp run --verbose ./zones 2>&1\n",
        capture_output=True,
        text=True,
        env=shell,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dpp, folder, engine, *said = done.stdout.splitlines()
    assert dpp.startswith(str(dppctl.environment["DPPCTL_CACHE_DIR"]))
    assert Path(folder).name == "workload"
    assert f"{db}.sqlite" in engine
    assert "pipeline-spec.yaml" in said
    for typed in ("dpp", "dpp run --verbose ./dump-to-db"):
        example = [line.replace("dump-to-db", "zones") for line in seed.answer_to(seed.PRIVATE, typed)]
        assert seed.not_said(example, done.stdout, seed.IN_A_SHELL) == [], done.stdout


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_prompt_names_the_worker(shell: str, dppctl: Dppctl, kept: Names, tmp_path: Path) -> None:
    worker, _ = kept
    (tmp_path / "workload" / "sub").mkdir()
    (tmp_path / ".bashrc").write_text("PS1='mine> '\nPATH=/usr/bin:/bin\n")
    said = typed(
        {**dppctl.environment, "SHELL": shell, "HOME": str(tmp_path)},
        ["ssh", worker],
        [f"{worker}:~$ ", f"{worker}:~/sub$ "],
        ["cd sub\n", "command -v dpp; exit\n"],
    )
    assert f"{dppctl.environment['DPPCTL_CACHE_DIR']}" in said


@pytest.mark.needs("sqlite3")
def test_a_database_pod_opens_its_client(dppctl: Dppctl, ran: Callable[..., Names]) -> None:
    _, db = ran()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "ssh", db],
        input="select count(*) from zones;\n",
        capture_output=True,
        text=True,
        env=dict(dppctl.environment),
        check=False,
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.needs("PostgreSQL", "psql")
def test_a_postgresql_pod_opens_psql_and_takes_its_data_with_it(dppctl: Dppctl, ran: Callable[..., Names]) -> None:
    _, db = ran("--db", "postgres")
    scratch = Path(json.loads((dppctl.data / "pods" / db / "pod.json").read_text())["scratch"])
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "ssh", db],
        input="\\pset tuples_only\nselect count(*) from zones;\n",
        capture_output=True,
        text=True,
        env=dict(dppctl.environment),
        check=False,
    )
    assert "2" in done.stdout.split(), done.stderr
    assert scratch.exists()
    assert dppctl("stop", db).stdout == f"Stopped {db}\n"
    assert not scratch.exists()


def test_without_a_client_the_web_page_is_named(dppctl: Dppctl, kept: Names) -> None:
    _, db = kept
    done = dppctl("ssh", db, PATH="/nowhere")
    assert done.returncode == 2
    assert re.match(r"dppctl: sqlite3, which opens .*\.sqlite, is not installed; look at http://127", done.stderr)


def test_a_worker_whose_folder_is_gone_says_so(dppctl: Dppctl, kept: Names, tmp_path: Path) -> None:
    worker, _ = kept
    (tmp_path / "workload").rename(tmp_path / "elsewhere")
    done = dppctl("ssh", worker)
    assert (done.returncode, done.stderr) == (
        2,
        f"dppctl: the folder that {worker} worked in is gone: {tmp_path / 'workload'}\n",
    )


def typed(environment: Mapping[str, str], arguments: list[str], prompts: list[str], lines: list[str]) -> str:
    """What a command says on a terminal, when each line is typed after the prompt before it has shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "cli.main", *arguments], dict(environment))
    said = ""
    try:
        for prompt, line in zip(prompts, lines, strict=True):
            said = read_until(terminal, prompt)
            os.write(terminal, line.encode())
        said = read_until(terminal, None)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return said


def read_until(terminal: int, expected: str | None) -> str:
    """Up to the expected text, or to the end."""
    said = ""
    while expected is None or expected not in said:
        if not select.select([terminal], [], [], 60)[0]:
            pytest.fail(f"no {expected!r} in {said!r}")
        try:
            said += os.read(terminal, 4096).decode()
        except OSError:  # the terminal was closed
            break
    return said
