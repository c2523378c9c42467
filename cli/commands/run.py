"""`dppctl run`: a workload's pipelines on this machine, from the assigned pods to what came out."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from cli.errors import InputError
from cli.run.report import JsonReport, Report
from cluster.errors import ClusterError
from cluster.local import durations, processes
from cluster.local.databases.database import KINDS, Database, check_database, parse_database
from cluster.local.folders import cache_dir
from cluster.local.sessions import record, supervisor
from cluster.local.storage.publish import publish, storage_folder
from cluster.local.workers.dpp_environment import ensure_dpp_environment
from cluster.local.workers.process import WorkerHost, WorkerProcess


@click.command()
@click.argument("pipelines", nargs=-1)
@click.option("--workload", default=".", help="A folder (default: here), or a URL of a zip or tar.gz, #path/inside.")
@click.option("--db", default="sqlite", show_default=True, help="sqlite, postgres, or a SQLAlchemy URL.")
@click.option("--image", help="Run in this image (with podman) instead of dpp's own environment.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="An environment variable for the pipelines.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Pipelines at a time.")
@click.option("--keep", default="1h", show_default=True, envvar="DPPCTL_KEEP", help="How long the database stays.")
@click.option("--verbose", is_flag=True, help="Show dpp's log.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: events, then the receipt.")
def run(
    pipelines: tuple[str, ...],
    workload: str,
    db: str,
    image: str | None,
    variables: tuple[str, ...],
    concurrency: int,
    keep: str,
    verbose: bool,
    output: str,
) -> None:
    """Run PIPELINES (ids like ./dump-to-db, or all, the default) and tell what data came out.

    Exit code: 0 all succeeded, 1 a pipeline failed, 2 wrong use or input.
    """
    database, kept_for, environment = parse_database(db), durations.seconds(keep), _environment(variables)
    settings = _Settings(pipelines, workload, database, image, environment, concurrency, kept_for, verbose)
    with make_report(output, verbose) as report, _stopping(report) as stoppable:
        sys.exit(_run(settings, report, stoppable))


@dataclass(frozen=True)
class _Settings:
    pipelines: tuple[str, ...]
    workload: str
    database: str
    image: str | None
    environment: dict[str, str]
    concurrency: int
    keep: float
    verbose: bool


def _run(settings: _Settings, report: Report, stoppable: list[WorkerProcess]) -> int:
    name = ",".join(settings.pipelines) or "all"
    worker = record.create("worker", pipeline=name)
    try:
        place = _prepare(worker, settings, report)
        db = record.create("db", pipeline=name) if settings.database in KINDS else None
    except BaseException:
        worker.remove()
        raise
    kept = supervisor.start(worker, settings.database, db, settings.keep)
    try:
        report.assigned(worker.name, db.name if db else None, kept.database)
        return _run_assigned(settings, report, place, worker, kept, stoppable)
    finally:
        kept.release()


Prepared = Callable[[Database], WorkerHost]
"""Where to run, once the database is there."""


def _prepare(worker: record.Session, settings: _Settings, report: Report) -> Prepared:
    """Have all that the pod needs before anything is assigned: the workload, its runtime, its own database."""
    from cli.run.limits import Limits
    from cli.run.workload import open_workload

    workload = open_workload(settings.workload, worker.folder, Limits.from_environment(), report.note)
    if settings.image:
        from cli.run.in_image import in_image

        place = in_image(settings.image, worker, workload, report.note)
        worker.update(workload=str(workload))
        return place
    requirements = workload / "requirements.txt"
    runtime = ensure_dpp_environment(cache_dir(), requirements if requirements.is_file() else None, report.note)
    if settings.database not in KINDS:
        check_database(settings.database, runtime.bin / "python", workload)
    worker.update(workload=str(workload), path=str(runtime.bin))
    return lambda _database: runtime


def _run_assigned(
    settings: _Settings,
    report: Report,
    prepared: Prepared,
    worker: record.Session,
    kept: supervisor.Supervisor,
    stoppable: list[WorkerProcess],
) -> int:
    since = time.time()
    workload = Path(worker.workload)
    environment = {"DPP_DB_ENGINE": kept.database.engine, **settings.environment}
    origin = {"DPPCTL_ORIGIN": json.dumps({"image": settings.image})}
    process = WorkerProcess(
        _zipapp(),
        prepared(kept.database),
        workload,
        settings.pipelines,
        environment=environment | origin,
        concurrency=settings.concurrency,
        verbose=settings.verbose,
    )
    stoppable.append(process)
    worker.update(worker=processes.identity(process.pid), environment=environment | _as_in_a_worker(workload))
    folders, receipt = _follow(process, report)
    code = process.wait()
    if receipt is None:
        complaint = process.complaint()
        if complaint or code not in (2, *(128 + number for number in STOP_SIGNALS)):
            raise ClusterError(complaint or f"the worker ended with exit code {code}; run it again with --verbose")
        return code
    spec_folders = [workload / folder for folder in folders]
    published = publish(workload, spec_folders, since, storage_folder(worker.name))
    places = [(one.kind, one.source, kept.storage_url + one.path) for one in published]
    report.ended(receipt, places, durations.spoken(settings.keep) if settings.keep else None)
    return code


def _follow(process: WorkerProcess, report: Report) -> tuple[list[str], dict[str, Any] | None]:
    """The folders of the specs, and the receipt if it came to one."""
    folders: dict[str, None] = {}
    for event in process.events():
        if event["event"] == "ended":
            return list(folders), event["receipt"]
        if event["event"] == "queued":
            folders[event["folder"]] = None
        report.event(event)
    return list(folders), None


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def make_report(output: str, verbose: bool) -> "Report":
    """output: text or json; verbose: dpp's log too."""
    if output == "json":
        return JsonReport(verbose)
    if sys.stdout.isatty():
        from cli.run.terminal_report import LiveReport  # rich is slow to import

        return LiveReport(verbose)
    return Report(verbose)


@contextmanager
def _stopping(report: Report) -> Iterator[list[WorkerProcess]]:
    """While it lasts, a signal that asks dppctl to end stops the worker in the list, which then ends by itself."""
    workers: list[WorkerProcess] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        report.note("Stopping")
        for worker in workers:
            worker.stop(number)
        if not workers:
            sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield workers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_in_a_worker(workload: Path) -> dict[str, str]:
    """What makes dpp in a shell (`dppctl ssh`) find modules as the worker's does; its hooks run dpp 1.x specs."""
    from worker import hooks

    return {"PYTHONPATH": os.pathsep.join([*hooks.__path__, str(workload)])}


def _zipapp() -> Path:
    """The worker in one file, kept in the cache by what it is made of."""
    from worker.zipapp_builder import build, fingerprint

    target = cache_dir() / "workers" / f"worker-{fingerprint()}.pyz"
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            build(target)
        except OSError as error:
            raise ClusterError(f"the worker cannot be kept in {target.parent}: {error.strerror or error}") from error
    return target


def _environment(settings: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name or "\0" in setting:
            raise InputError(f"--env {name}: must be NAME=VALUE")
        variables[name] = value
    return variables
