"""A run on this machine, from the workload to what came out: read `run_locally` top to bottom."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cli.run.report import Report
from cli.run.signals import STOP_SIGNALS, StopSignals
from cluster.errors import ClusterError
from cluster.local import durations, processes
from cluster.local.databases.database import KINDS, Database, check_database
from cluster.local.folders import cache_dir
from cluster.local.sessions import record, supervisor
from cluster.local.storage.publish import publish, storage_folder
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from cluster.local.workers.process import WorkerHost, WorkerProcess


@dataclass(frozen=True)
class RunSettings:
    """What is to run, and how."""

    pipelines: tuple[str, ...]  # ids; none: all
    workload: str  # a folder, or the URL of an archive
    database: str  # sqlite, postgres, or a SQLAlchemy URL
    image: str | None  # to run in
    environment: dict[str, str]  # for the pipelines
    concurrency: int  # pipelines at a time
    keep: float  # seconds that the database stays
    verbose: bool


class HostMaker(Protocol):
    """Knows where the worker runs, once the database is there."""

    def host(self, database: Database) -> WorkerHost:
        """Return where to run with this database."""


@dataclass(frozen=True)
class EnvironmentHost:
    """The worker runs in an environment with dpp, the same for every database."""

    environment: DppEnvironment

    def host(self, _database: Database) -> WorkerHost:
        """Return the environment."""
        return self.environment


def run_locally(settings: RunSettings, report: Report, signals: StopSignals) -> int:
    """Run the pipelines, and report what happens; return the exit code. Raises InputError and ClusterError."""
    name = ",".join(settings.pipelines) or "all"
    worker = record.create("worker", pipeline=name)
    try:
        hosts = _prepare(worker, settings, report)
        db = record.create("db", pipeline=name) if settings.database in KINDS else None
    except BaseException:
        worker.remove()
        raise
    services = supervisor.start(worker, settings.database, db, settings.keep)
    try:
        report.assigned(worker.name, db.name if db else None, services.database)
        return _run_assigned(settings, report, hosts.host(services.database), worker, services, signals)
    finally:
        services.release()


def _prepare(worker: record.Session, settings: RunSettings, report: Report) -> HostMaker:
    """Get all that the run needs before anything is assigned: the workload, its environment, its own database."""
    from cli.run.limits import Limits
    from cli.run.workload import open_workload

    workload = open_workload(settings.workload, worker.folder, Limits.from_environment(), report.note)
    if settings.image:
        from cli.run.in_image import prepare_image

        image_host = prepare_image(settings.image, worker, workload, report.note)
        worker.update(workload=str(workload))
        return image_host
    environment = ensure_dpp_environment(cache_dir(), workload, report.note)
    if settings.database not in KINDS:
        check_database(settings.database, environment.bin / "python", workload)
    worker.update(workload=str(workload), path=str(environment.bin))
    return EnvironmentHost(environment)


def _run_assigned(
    settings: RunSettings,
    report: Report,
    host: WorkerHost,
    worker: record.Session,
    services: supervisor.Supervisor,
    signals: StopSignals,
) -> int:
    since = time.time()
    workload = Path(worker.workload)
    environment = {"DPP_DB_ENGINE": services.database.engine, **settings.environment}
    origin = {"DPPCTL_ORIGIN": json.dumps({"image": settings.image})}
    process = WorkerProcess(
        _zipapp(),
        host,
        workload,
        settings.pipelines,
        environment=environment | origin,
        concurrency=settings.concurrency,
        verbose=settings.verbose,
    )
    signals.pass_to(process)
    worker.update(worker=processes.identity(process.pid), environment=environment | _shell_environment(workload))
    folders, receipt = _follow(process, report)
    code = process.wait()
    if receipt is None:
        complaint = process.complaint()
        if complaint or code not in (2, *(128 + number for number in STOP_SIGNALS)):
            raise ClusterError(complaint or f"the worker ended with exit code {code}; run it again with --verbose")
        return code
    spec_folders = [workload / folder for folder in folders]
    published = publish(workload, spec_folders, since, storage_folder(worker.name))
    urls = [(each.kind, each.source, services.storage_url + each.path) for each in published]
    report.ended(receipt, urls, durations.spoken(settings.keep) if settings.keep else None)
    return code


def _follow(process: WorkerProcess, report: Report) -> tuple[list[str], dict[str, Any] | None]:
    """Report the worker's events to its end; return the folders of the specs, and the receipt if it left one."""
    folders: dict[str, None] = {}
    for event in process.events():
        if event["event"] == "ended":
            return list(folders), event["receipt"]
        if event["event"] == "queued":
            folders[event["folder"]] = None
        report.event(event)
    return list(folders), None


def _shell_environment(workload: Path) -> dict[str, str]:
    """Return what makes dpp in a shell (`dppctl ssh`) find modules as the worker's does; its hooks run 1.x specs."""
    from worker import hooks

    return {"PYTHONPATH": os.pathsep.join([*hooks.__path__, str(workload)])}


def _zipapp() -> Path:
    """Return the worker in one file, kept in the cache under a hash of its sources. Raises ClusterError."""
    from worker.zipapp_builder import build, fingerprint

    target = cache_dir() / "workers" / f"worker-{fingerprint()}.pyz"
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            build(target)
        except OSError as error:
            raise ClusterError(f"the worker cannot be kept in {target.parent}: {error.strerror or error}") from error
    return target
