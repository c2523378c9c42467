"""A run on a cluster, from the workload to what came out: read `run_remotely` top to bottom."""

import signal
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import ValidationError

from cli.errors import InputError
from cli.remote.client import ProxyClient, connect
from cli.remote.clusters import NamedCluster
from cli.remote.errors import ProxyAwayError
from cli.remote.following import RunFollower
from cli.remote.interrupts import Interrupted, Interrupts
from cli.remote.pack import PackedWorkload, pack
from cli.remote.relay import Relay
from cli.remote.upload import upload
from cli.run.limits import Limits
from cli.run.pipeline_ids import report_unknown_ids
from cli.run.report import RunReport
from cli.run.workload import open_workload
from cluster.local import durations
from cluster.runs_api import ClusterInfo, RunInfo, RunRequest, WorkloadReference


@dataclass(frozen=True)
class RemoteRunSettings:
    """What is to run on a cluster, and how."""

    pipelines: tuple[str, ...]  # ids; none: all
    workload: str  # a folder, or the URL of an archive
    database: str | None  # none, postgres, or None: as the workload needs
    pool: str
    image: str
    concurrency: int
    timeout: float  # seconds from the assignment of a worker
    keep: float  # seconds that the database stays
    publish: bool = True


def run_remotely(settings: RemoteRunSettings, cluster: NamedCluster, report: RunReport) -> int:
    """Run the pipelines, and report what happens; return the exit code.

    Raises InputError, ClusterError, ProxyAwayError and ProxyRefusedError.
    """
    with tempfile.TemporaryDirectory(prefix="dppctl-") as temporary, connect(cluster, report.note) as proxy:
        folder = _workload(settings, Path(temporary), report)
        about = proxy.about()
        relay = Relay(proxy, cluster.publish_to, report.note) if cluster.publish_to and settings.publish else None
        report.using(*_greeting(about, cluster, relay))
        if "run" not in about.scopes:
            raise InputError(
                f"the token of {about.user} may not run pipelines on {cluster.name}: it lacks the scope run; "
                f"`dppctl login {cluster.name}` takes another one"
            )
        packed = pack(folder, about.limits.workload_bytes, report.note)
        upload(proxy, packed)
        request = _request(settings, packed, "relay" if relay else "auto" if settings.publish else "none")
        packed.file.close()
        with Interrupts() as interrupts:
            run = proxy.create_run(request, str(uuid.uuid4()))
            if run.timeout_seconds and run.timeout_seconds < request.timeout_seconds:
                allowed = durations.spoken(run.timeout_seconds)
                report.note(f"dppctl: {run.name} may take {allowed}: more is not left of your limits (dppctl usage)")
            keep = settings.keep if request.database != "none" else 0.0
            return follow_to_its_end(proxy, run, report, interrupts, keep=keep, relay=relay, workload=folder)


def follow_to_its_end(
    proxy: ProxyClient,
    run: RunInfo,
    report: RunReport,
    interrupts: Interrupts,
    *,
    keep: float,
    relay: Relay | None = None,
    workload: Path | None = None,
) -> int:
    """Report a run from its start to its end; return the exit code. A signal stops it, or leaves it alone.

    relay: publishes elsewhere what it wrote; workload: its folder, if that is here.
    """
    follower = RunFollower(proxy, run, report, interrupts, keep, relay, workload)
    is_stopping = is_asked = False
    while True:
        try:
            if is_stopping and not is_asked:
                with interrupts.waiting():
                    proxy.stop_run(run.name)
                is_asked = True
                report.note("Stopping")
            code = follower.follow()
        except Interrupted:
            if is_stopping or not _is_to_stop(interrupts, report):
                return _leave(run.name, report, interrupts)
            is_stopping = True
        except ProxyAwayError as error:
            raise ProxyAwayError(f"{error}; the run goes on: `dppctl logs {run.name}` comes back to it") from None
        else:
            return 128 + interrupts.number if is_stopping else code


def _workload(settings: RemoteRunSettings, temporary: Path, report: RunReport) -> Path:
    """Return the folder with the specs. Ends with exit code 2 for an id that no pipeline has."""
    folder = open_workload(settings.workload, temporary, Limits.from_environment(), report.note)
    if settings.pipelines not in ((), ("all",)):
        report_unknown_ids(folder, settings.pipelines, report)
    return folder


def _request(
    settings: RemoteRunSettings, packed: PackedWorkload, publish: Literal["auto", "none", "relay"]
) -> RunRequest:
    """Return what the proxy is asked for. Raises InputError for what it would not take."""
    try:
        return RunRequest(
            pipelines=settings.pipelines or ("all",),
            workload=WorkloadReference(sha256=packed.sha256, bytes=packed.size),
            pool=settings.pool,
            image=settings.image,
            database=_database(settings.database, uses_database=packed.uses_database),
            concurrency=settings.concurrency,
            timeout_seconds=round(settings.timeout),
            keep_seconds=round(settings.keep),
            publish=publish,
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        flag = str(wrong["loc"][0]).removesuffix("_seconds").replace("pipelines", "PIPELINES")
        named = flag if flag.isupper() else f"--{flag}"
        raise InputError(f"{named}: {wrong['msg'][0].lower()}{wrong['msg'][1:]}") from None


def _greeting(about: ClusterInfo, cluster: NamedCluster, relay: Relay | None) -> tuple[str, ...]:
    if not about.public and relay is None:
        return (f"Using {cluster.name} private cluster",)
    local = f"Using local {cluster.name.removesuffix('-public')} cluster with public publishing"
    return (
        local if relay else f"Using the {cluster.name} dppctl cluster",
        "do not use for private data!",
        "Run dppctl init --help for cluster initialization and configuration options",
    )


def _database(asked: str | None, *, uses_database: bool) -> Any:
    return asked or ("postgres" if uses_database else "none")


def _is_to_stop(interrupts: Interrupts, report: RunReport) -> bool:
    """Ask whether to stop the run; without a terminal, or after another signal than Ctrl-C: yes."""
    if interrupts.number != signal.SIGINT or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    report.pause()
    try:
        with interrupts.waiting():
            choice = click.prompt(
                "\nStop the run (s), or leave it running (l)?", type=click.Choice(["s", "l"]), err=True
            )
    except (Interrupted, click.Abort):
        return False
    return bool(choice == "s")


def _leave(name: str, report: RunReport, interrupts: Interrupts) -> int:
    report.warn(f"The run goes on; `dppctl logs {name}` comes back to it, `dppctl stop {name}` ends it")
    return 128 + interrupts.number
