"""A run on this machine, from the workload to what came out: read `run_locally` top to bottom."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from cli.run.pipeline_ids import report_unknown_ids
from cli.run.report import RunReport
from cli.run.signals import STOP_SIGNALS, StopSignals
from cli.run.worker_files import worker_folder, worker_zipapp
from cluster.errors import ClusterError
from cluster.local import durations, processes
from cluster.local.databases.database import KINDS, RunDatabase, check_database
from cluster.local.folders import cache_dir
from cluster.local.sessions import record, supervisor
from cluster.local.storage.publish import publish, storage_folder
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment, find_runtime
from cluster.local.workers.process import WorkerProcess
from cluster.storage.written import WrittenItems

if TYPE_CHECKING:
    from cli.run.in_image import ImageHost


@dataclass(frozen=True)
class RunSettings:
    """What is to run, and how."""

    pipelines: tuple[str, ...]  # ids; none: all
    workload: str  # a folder, or the URL of an archive
    database: str  # sqlite, postgres, or a SQLAlchemy URL
    image: str | None  # to run in
    environment: dict[str, str]  # for the pipelines
    concurrency: int  # pipelines at a time
    runner: str  # auto, or dpp: by dpp itself
    keep: float  # seconds that the database stays
    verbose: bool
    publish: bool = True


class WorkerSource(Protocol):
    """Has the run's worker, or starts it once the database is there."""

    def worker(self, database: RunDatabase) -> WorkerProcess:
        """Return a worker without an order, for pipelines with this database."""


@dataclass(frozen=True)
class Started:
    """The worker was started before all else: what it loads does not depend on the run."""

    process: WorkerProcess

    def worker(self, _database: RunDatabase) -> WorkerProcess:
        """Return it."""
        return self.process


@dataclass(frozen=True)
class InImage:
    """The worker is started in a container, which is another one for each database."""

    image: "ImageHost"
    runner: str

    def worker(self, database: RunDatabase) -> WorkerProcess:
        """Start it."""
        return WorkerProcess(worker_zipapp(cache_dir()), self.image.host(database), self.runner)


def run_locally(settings: RunSettings, report: RunReport, signals: StopSignals) -> int:
    """Run the pipelines, and report what happens; return the exit code. Raises InputError and ClusterError."""
    name = ",".join(settings.pipelines) or "all"
    worker = record.create("worker", pipeline=name)
    with ExitStack() as started:
        try:
            source = _prepare(worker, settings, report, started)
            db = record.create("db", pipeline=name) if settings.database in KINDS else None
        except BaseException:
            worker.remove()
            raise
        services = supervisor.start(worker, settings.database, db, settings.keep)
        try:
            report.using("Using the local cluster")
            report.assigned(worker.name, db.name if db else None, services.database)
            return _run_assigned(settings, report, source.worker(services.database), worker, services, signals)
        except (ClusterError, SystemExit):  # refused, or stopped before it began: there is nothing to look at
            services.discard()
            raise
        finally:
            services.release()


def _prepare(worker: record.Session, settings: RunSettings, report: RunReport, started: ExitStack) -> WorkerSource:
    """Get all that the run needs before anything is assigned: the workload, its environment, its own database.

    The worker is started as soon as it can be; `started` ends it.
    """
    from cli.run.limits import Limits
    from cli.run.workload import open_workload

    workload = open_workload(settings.workload, worker.folder, Limits.from_environment(), report.note)
    environment = None if settings.image else find_runtime(cache_dir(), workload)
    process = _start(environment, settings, started) if environment else None
    if not settings.image and settings.pipelines not in ((), ("all",)):
        report_unknown_ids(workload, settings.pipelines, report)
    if settings.image:
        from cli.run.in_image import prepare_image

        image_host = prepare_image(settings.image, worker, workload, report.note)
        worker.update(workload=str(workload))
        return InImage(image_host, settings.runner)
    environment = ensure_dpp_environment(cache_dir(), workload, report.note)
    process = process or _start(environment, settings, started)
    if settings.database not in KINDS:
        check_database(settings.database, environment.bin / "python", workload)
    worker.update(workload=str(workload), path=str(environment.bin))
    return Started(process)


def _start(environment: DppEnvironment, settings: RunSettings, started: ExitStack) -> WorkerProcess:
    runner = settings.environment.get("DPPCTL_RUNNER", "") if settings.runner == "auto" else settings.runner
    process = WorkerProcess(worker_folder(cache_dir()), environment, runner)
    started.callback(process.end)
    return process


def _run_assigned(
    settings: RunSettings,
    report: RunReport,
    process: WorkerProcess,
    worker: record.Session,
    services: supervisor.Supervisor,
    signals: StopSignals,
) -> int:
    workload = Path(worker.workload)
    environment = {"DPP_DB_ENGINE": services.database.engine, **settings.environment}
    signals.pass_to(process)
    process.begin(
        workload,
        settings.pipelines,
        environment=environment,
        origin={"image": settings.image},
        concurrency=settings.concurrency,
        verbose=settings.verbose,
    )
    worker.update(worker=processes.identity(process.pid), environment=environment | _shell_environment(workload))
    followed = _follow(process, report)
    code = process.wait()
    if followed.receipt is None:
        complaint = process.complaint()
        if complaint or code not in (2, *(128 + number for number in STOP_SIGNALS)):
            raise ClusterError(complaint or f"the worker ended with exit code {code}; run it again with --verbose")
        services.discard()
        return code
    told = followed.written if settings.publish else {}
    complaint, published = _publish(told, workload, worker, services, report)
    report.resources(followed.receipt, workload)
    report.ended(followed.receipt, published, durations.spoken(settings.keep) if settings.keep else None)
    if complaint:
        report.warn(f"dppctl: {complaint}")
    return code or int(bool(complaint))


@dataclass
class Followed:
    """What the worker told until it ended."""

    receipt: dict[str, Any] | None = None  # if it left one
    written: dict[str, Any] = field(default_factory=dict)  # its event of that name, if it wrote something to publish


def _follow(process: WorkerProcess, report: RunReport) -> Followed:
    """Report the worker's events to its end."""
    followed = Followed()
    for event in process.events():
        if event["event"] == "ended":
            followed.receipt = event["receipt"]
            return followed
        if event["event"] == "written":
            followed.written = event
        report.event(event)
    return followed


def _publish(
    told: dict[str, Any], workload: Path, worker: record.Session, services: supervisor.Supervisor, report: RunReport
) -> tuple[str, list[tuple[str, str, str]]]:
    """Publish what the pipelines that succeeded wrote; return what is wrong, and kind, path and URL of each."""
    try:
        written = WrittenItems.read(told)
        publish(workload, written, storage_folder(worker.name))
    except ClusterError as error:  # the run was none the less what its receipt says
        return str(error), []
    report.left_out(written.left_out)
    return "", [(item.kind, item.source, services.storage_url + quote(item.path)) for item in written.items]


def _shell_environment(workload: Path) -> dict[str, str]:
    """Return what makes dpp in a shell (`dppctl ssh`) find modules as the worker's does; its hooks run 1.x specs."""
    from worker import hooks

    return {"PYTHONPATH": os.pathsep.join(hooks.__path__), "DPPCTL_WORKLOAD_PATH": str(workload)}
