"""`dppctl list pods`, `dppctl stop` and `dppctl ssh`: what runs on this machine, or is kept for a while."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import click

from cli.errors import InputError

if TYPE_CHECKING:
    from cluster.local.sessions.record import Session


@click.command()
def pods() -> None:
    """List the pods: name, status (assigned: it runs; available: it is kept for a while), age, pipeline."""
    from cluster.local.durations import short
    from cluster.local.sessions.record import all_sessions

    lines = [
        json.dumps(
            {"name": session.name, "status": session.status, "age": short(session.age), "pipeline": session.pipeline},
            ensure_ascii=False,
        )
        for session in all_sessions()
    ]
    click.echo("[" + ",\n ".join(lines) + "]")


@click.command()
@click.argument("names", metavar="NAME... | all", nargs=-1, required=True)
def stop(names: tuple[str, ...]) -> None:
    """End pods: their pipelines, their database server, their web pages.

    A SQLite database and what was published stay.
    """
    from cluster.local.sessions import record

    chosen = record.all_sessions() if names == ("all",) else [record.load(name) for name in dict.fromkeys(names)]
    for session in chosen:
        record.stop(session)
        has_data = session.file and Path(session.file).exists()  # one without tables goes with its pod
        click.echo(f"Stopped {session.name}" + (f"; its data stays in {session.file}" if has_data else ""))
    if not chosen:
        click.echo("No pod runs")


@click.command()
@click.argument("name")
def ssh(name: str) -> None:
    """Open a shell in a worker's folder, with dpp on PATH and DPP_DB_ENGINE set, or on a pod's database."""
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
