"""`dppctl run`: the command's flags, the report that it asks for, and its exit code."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from cli.completions import complete_own_environments, complete_pipelines
from cli.documented import command
from cli.errors import InputError
from cli.output_options import is_quiet
from cli.remote.clusters import CLUSTER_OPTION, choose_cluster
from cli.run.report import JsonReport, QuietReport, RunReport
from cli.run.signals import StopSignals
from cluster.local import durations


@command(
    examples="""
    dppctl run                                  # all pipelines of this folder
    dppctl run ./dump-to-db                     # one of them
    dppctl run --cluster office ./dump-to-db    # on a cluster: dppctl login
    dppctl run --workload https://example.org/data.zip --output json
    """,
    headings={
        "What to run": "--workload --env --image --runner --concurrency",
        "Where": "--cluster --pool --environment --timeout",
        "What stays": "--db --keep --no-publish",
        "Output": "--verbose --output",
    },
)
@click.argument("pipelines", nargs=-1, shell_complete=complete_pipelines)
@click.option("--workload", default=".", help="A folder (default: here), or a URL of a zip or tar.gz, #path/inside.")
@CLUSTER_OPTION
@click.option(
    "--db",
    "--database",
    "db",
    help="sqlite, postgres, or a SQLAlchemy URL; on a cluster postgres or none.  "
    "[default: sqlite; on a cluster postgres where the pipelines name a database]",
)
@click.option("--pool", help="On a cluster: which of its pools of workers.  [default: default]")
@click.option(
    "--environment",
    shell_complete=complete_own_environments,
    help="On a cluster: with the workers of this environment of the app (.dppctl.yaml).",
)
@click.option("--timeout", help="On a cluster: how long the run may take.  [default: 1h]")
@click.option("--image", help="Run in this image (here: with podman) instead of dpp's own environment.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="An environment variable for the pipelines.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Pipelines at a time.")
@click.option(
    "--runner",
    type=click.Choice(["auto", "dpp"]),
    default="auto",
    show_default=True,
    help="dpp: have dpp itself run every pipeline.",
)
@click.option("--keep", default="1h", show_default=True, envvar="DPPCTL_KEEP", help="How long the database stays.")
@click.option("--no-publish", is_flag=True, help="Leave what the pipelines write below data/ where it is.")
@click.option("--verbose", is_flag=True, help="Show dpp's log.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: events, then the receipt.")
def run(
    pipelines: tuple[str, ...],
    workload: str,
    cluster: str | None,
    db: str | None,
    pool: str | None,
    environment: str | None,
    timeout: str | None,
    image: str | None,
    variables: tuple[str, ...],
    concurrency: int,
    runner: str,
    keep: str,
    no_publish: bool,
    verbose: bool,
    output: str,
) -> None:
    """Run PIPELINES (ids like ./dump-to-db, or all, the default) and tell what data came out.

    Exit code: 0 all succeeded, 1 a pipeline failed, 2 wrong use or input.
    """
    folder = Path() if "://" in workload else Path(workload)
    chosen = choose_cluster(cluster, folder)
    if chosen is not None:
        _refuse(chosen.name, {"--env": variables, "--runner": runner != "auto"}, "does not go to a cluster")
        from cli.remote.run import RemoteRunSettings, run_remotely

        remote = RemoteRunSettings(
            pipelines=pipelines,
            workload=workload,
            database=_database_of_cluster(db),
            pool=_pool(pool, environment, folder),
            image=image or "",
            concurrency=concurrency,
            timeout=durations.seconds(timeout or "1h"),
            keep=durations.seconds(keep),
            publish=not no_publish,
        )
        with make_report(output, verbose, quiet=is_quiet()) as report:
            sys.exit(run_remotely(remote, chosen, report))
    _refuse(
        "this machine", {"--pool": pool, "--environment": environment, "--timeout": timeout}, "is for runs on a cluster"
    )
    from cli.run.local_run import RunSettings, run_locally
    from cluster.local.databases.database import parse_database

    settings = RunSettings(
        pipelines=pipelines,
        workload=workload,
        database=parse_database(db or "sqlite"),
        image=image,
        environment=parse_environment(variables),
        concurrency=concurrency,
        runner=runner,
        keep=durations.seconds(keep),
        verbose=verbose,
        publish=not no_publish,
    )
    with make_report(output, verbose, quiet=is_quiet()) as report, StopSignals(report.note) as signals:
        sys.exit(run_locally(settings, report, signals))


def _refuse(where: str, given: Mapping[str, object], why: str) -> None:
    """Raise InputError for the first flag that was given and means nothing where the run is."""
    for flag, value in given.items():
        if value:
            raise InputError(f"{flag} {why}, and this run is on {where}; leave it out, or choose with --cluster")


def _pool(pool: str | None, environment: str | None, folder: Path) -> str:
    if environment is None:
        return pool or "default"
    if pool is not None:
        raise InputError("--environment names a pool already; leave out --pool")
    from cli.remote.environments import environment_pool

    return environment_pool(folder, environment)


def _database_of_cluster(text: str | None) -> str | None:
    if text not in (None, "none", "postgres"):
        raise InputError("--db on a cluster must be postgres (one that is kept for --keep) or none")
    return text


def parse_environment(variables: tuple[str, ...]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping. Raises InputError for one of another form."""
    environment = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name or "\0" in variable:
            raise InputError(f"--env {name}: must be NAME=VALUE")
        environment[name] = value
    return environment


def make_report(output: str, verbose: bool, *, quiet: bool = False) -> RunReport:
    """Return the report for `output` (text or json), on a terminal a live one.

    verbose: with dpp's log; quiet: with the results alone.
    """
    if output == "json":
        return JsonReport(verbose)
    if quiet:
        return QuietReport(verbose)
    if sys.stdout.isatty():
        from cli.run.terminal_report import LiveReport  # rich is slow to import

        return LiveReport(verbose)
    return RunReport(verbose)
