"""`dppctl list pods`, `dppctl stop` and `dppctl ssh`: what runs here or on a cluster, or is kept for a while."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import click

from cli.completions import complete_pods
from cli.documented import command
from cli.errors import InputError
from cli.listing import OUTPUT_OPTION, Row, show
from cli.output_options import note, say
from cli.remote.clusters import CLUSTER_OPTION, choose_cluster

if TYPE_CHECKING:
    from cluster.local.sessions.record import Session


@command(
    examples="""
    dppctl list pods
    dppctl list pods --cluster office -o json
    """,
)
@CLUSTER_OPTION
@OUTPUT_OPTION
def pods(cluster: str | None, output: str | None) -> None:
    """List the pods: name, status (assigned: it runs; available: it is kept for a while), age, pipeline.

    On a cluster available ones wait for a run; their pool and run take the place of the pipeline.
    """
    from cluster.local.durations import short
    from cluster.local.sessions.record import all_sessions

    if chosen := choose_cluster(cluster, Path()):
        from cli.remote.client import connect
        from cli.remote.pods import listed_pods

        with connect(chosen, note) as proxy:
            found = listed_pods(proxy)
    else:
        found = [
            {"name": session.name, "status": session.status, "age": short(session.age), "pipeline": session.pipeline}
            for session in all_sessions()
        ]
    show(
        found,
        output,
        columns={name: name for name in (found[0] if found else ())},
        name=lambda row: row["name"],
        empty="No pods; `dppctl run` starts some",
        as_json=_pods_json,
    )


def _pods_json(rows: Sequence[Row]) -> str:
    """Return a pod a line, as the usage examples have it."""
    return "[" + ",\n ".join(json.dumps(pod, ensure_ascii=False) for pod in rows) + "]"


@command(
    examples="""
    dppctl stop dppctl-db-koejijdif48j
    dppctl stop all
    dppctl stop run-4f0c2d9b1a7e6583 --cluster office     # a run on a cluster
    """,
)
@click.argument("names", metavar="NAME... | all", nargs=-1, required=True, shell_complete=complete_pods)
@CLUSTER_OPTION
def stop(names: tuple[str, ...], cluster: str | None) -> None:
    """End pods: their pipelines, their database server, their web pages; on a cluster pods or runs.

    A SQLite database and what was published stay. `all` on a cluster: your own runs that go on.
    """
    if chosen_cluster := choose_cluster(cluster, Path()):
        from cli.remote.client import connect
        from cli.remote.pods import stop_all

        with connect(chosen_cluster, note) as proxy:
            for name in stop_all(proxy, tuple(dict.fromkeys(names))) or ["nothing: no run goes on"]:
                say(f"Stopped {name}")
        return
    from cluster.local.sessions import record

    chosen = record.all_sessions() if names == ("all",) else [record.load(name) for name in dict.fromkeys(names)]
    for session in chosen:
        record.stop(session)
        has_data = session.file and Path(session.file).exists()  # one without tables goes with its pod
        say(f"Stopped {session.name}" + (f"; its data stays in {session.file}" if has_data else ""))
    if not chosen:
        say("No pod runs")


@command(
    examples="""
    dppctl ssh dppctl-worker-dkofij848dhi     # a shell in its folder, with dpp
    dppctl ssh dppctl-db-koejijdif48j         # psql or sqlite3
    """,
)
@click.argument("name", shell_complete=complete_pods)
@CLUSTER_OPTION
def ssh(name: str, cluster: str | None) -> None:
    """Open a shell in a worker's folder, with dpp on PATH and DPP_DB_ENGINE set, or on a pod's database.

    On a cluster it may read its commands from a pipe. Its exit code is that of the shell.
    """
    if chosen := choose_cluster(cluster, Path()):
        from cli.remote.client import connect
        from cli.remote.errors import ProxyRefusedError
        from cli.remote.pods import refusal_of_pod
        from cli.remote.terminal import open_shell

        with connect(chosen, note) as proxy:
            try:
                sys.exit(open_shell(proxy, name))
            except ProxyRefusedError as error:
                raise refusal_of_pod(proxy, name, error) from None
    from cluster.local.sessions import record

    session = record.load(name)
    if session.kind == "db":
        _become(*_database_shell(session))
    _become(*_worker_shell(session), folder=session.workload)


def _worker_shell(session: "Session") -> tuple[list[str], dict[str, str]]:
    """Return the user's shell, and the environment that makes it the worker's."""
    if not Path(session.workload).is_dir():
        raise InputError(f"the folder that {session.name} worked in is gone: {session.workload}")
    path = os.pathsep.join([*filter(None, [session.path]), os.environ.get("PATH", os.defpath)])
    shell = os.environ.get("SHELL") or "/bin/sh"
    prompt = f"{session.name}:~$ "
    if Path(shell).name in ("sh", "dash", "bash", "ksh"):
        # They expand it each time: the workload shows as home, and what lies below it as below home.
        prompt = f'{session.name}:~${{PWD#"$DPPCTL_WORKLOAD"}}$ '
    arguments = [shell]
    if Path(shell).name == "bash" and sys.stdin.isatty():
        # Without it, the user's own settings would have the last word.
        settings = session.folder / "bashrc"
        own = "[ ! -f ~/.bashrc ] || . ~/.bashrc"
        settings.write_text(f"{own}\nPATH={shlex.quote(path)}\nPS1={shlex.quote(prompt)}\n", encoding="utf-8")
        arguments += ["--rcfile", str(settings)]
    own_variables = {"PATH": path, "PS1": prompt, "DPPCTL_WORKLOAD": str(Path(session.workload).resolve())}
    return arguments, {**os.environ, **session.environment, **own_variables}


def _database_shell(session: "Session") -> tuple[list[str], dict[str, str]]:
    look = f"look at {session.urls['web_ui']}" if "web_ui" in session.urls else "install it"
    if session.file:
        if client := shutil.which("sqlite3"):
            return [client, session.file], dict(os.environ)
        raise InputError(f"sqlite3, which opens {session.file}, is not installed; {look}")
    if client := shutil.which("psql"):
        server = urlsplit(session.engine)
        command = [client, "-h", str(server.hostname), "-p", str(server.port), "-U", str(server.username)]
        return command, {**os.environ, "PGPASSFILE": str(session.folder / "pgpass")}
    raise InputError(f"psql, which opens a PostgreSQL database, is not installed; {look}")


def _become(arguments: list[str], environment: dict[str, str], folder: str = ".") -> NoReturn:
    sys.stdout.flush()
    os.chdir(folder)
    os.execvpe(arguments[0], arguments, environment)  # noqa: S606
