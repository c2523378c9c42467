"""`dppctl run`: the command's flags, the report that it asks for, and its exit code."""

import sys

import click

from cli.errors import InputError
from cli.run.local_run import RunSettings, run_locally
from cli.run.report import JsonReport, RunReport
from cli.run.signals import StopSignals
from cluster.local import durations
from cluster.local.databases.database import parse_database


@click.command()
@click.argument("pipelines", nargs=-1)
@click.option("--workload", default=".", help="A folder (default: here), or a URL of a zip or tar.gz, #path/inside.")
@click.option("--db", default="sqlite", show_default=True, help="sqlite, postgres, or a SQLAlchemy URL.")
@click.option("--image", help="Run in this image (with podman) instead of dpp's own environment.")
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
@click.option("--verbose", is_flag=True, help="Show dpp's log.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: events, then the receipt.")
def run(
    pipelines: tuple[str, ...],
    workload: str,
    db: str,
    image: str | None,
    variables: tuple[str, ...],
    concurrency: int,
    runner: str,
    keep: str,
    verbose: bool,
    output: str,
) -> None:
    """Run PIPELINES (ids like ./dump-to-db, or all, the default) and tell what data came out.

    Exit code: 0 all succeeded, 1 a pipeline failed, 2 wrong use or input.
    """
    settings = RunSettings(
        pipelines=pipelines,
        workload=workload,
        database=parse_database(db),
        image=image,
        environment=parse_environment(variables),
        concurrency=concurrency,
        runner=runner,
        keep=durations.seconds(keep),
        verbose=verbose,
    )
    with make_report(output, verbose) as report, StopSignals(report.note) as signals:
        sys.exit(run_locally(settings, report, signals))


def parse_environment(variables: tuple[str, ...]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping. Raises InputError for one of another form."""
    environment = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name or "\0" in variable:
            raise InputError(f"--env {name}: must be NAME=VALUE")
        environment[name] = value
    return environment


def make_report(output: str, verbose: bool) -> RunReport:
    """Return the report for `output` (text or json), on a terminal a live one; `verbose`: with dpp's log."""
    if output == "json":
        return JsonReport(verbose)
    if sys.stdout.isatty():
        from cli.run.terminal_report import LiveReport  # rich is slow to import

        return LiveReport(verbose)
    return RunReport(verbose)
