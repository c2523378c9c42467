"""`dppctl usage`: what was used of a cluster, by oneself or by others, and what is left of one's limits."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from cli.errors import InputError
from cli.remote.clusters import CLUSTER_OPTION

if TYPE_CHECKING:
    from cluster.usage.shapes import UsageReport


@click.command()
@click.option("--mine", is_flag=True, help="Your own; for who is no admin it always is.")
@click.option("--user", help="Somebody else's, such as github:583231; for admins.")
@click.option("--since", default="7d", show_default=True, help="12h, 7d, 2w, or a day such as 2026-01-31.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@CLUSTER_OPTION
def usage(mine: bool, user: str | None, since: str, output: str, cluster: str | None) -> None:
    """Show what runs on a cluster used, and how your limits stand; an admin sees everybody's.

    Workers count from their assignment to the run's end, never while a run waits. Spreadsheets read -o csv.
    """
    from cli.remote.client import connect
    from cli.remote.clusters import choose_cluster
    from cluster.usage.shapes import UsageReport

    if mine and user:
        raise InputError("--mine, --user: only one of them says whose")
    if (chosen := choose_cluster(cluster, Path())) is None:
        raise InputError("which cluster? --cluster NAME, or `dppctl use NAME`; this machine counts no usage of runs")
    with connect(chosen, lambda text: click.echo(text, err=True)) as proxy:
        asked = {"since": since, "format": "csv" if output == "csv" else "json"}
        if user:
            asked["user"] = user
        elif not mine and "admin" in proxy.about().scopes:
            asked["all"] = "1"
        text = proxy.usage(urlencode(asked))
    if output != "table":
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    for line in usage_table(UsageReport.model_validate_json(text)):
        click.echo(line)


def usage_table(report: "UsageReport") -> list[str]:
    """Return a report as lines for people."""
    rows = [("RUN", "USER", "BEGUN", "OUTCOME", "WORKER", "DATABASE", "ROWS", "MB IN")]
    rows += [
        (
            run.run,
            run.user or "by the clock",
            f"{run.created:%Y-%m-%d %H:%M}",
            run.outcome,
            f"{run.worker_seconds:,.0f} s",
            f"{run.database_seconds:,.0f} s",
            f"{run.rows:,}",
            f"{run.bytes_in / 1e6:,.1f}",
        )
        for run in report.runs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (rows if report.runs else ())
    ]
    hours = sum(run.worker_seconds for run in report.runs) / 3600
    total = f"{len(report.runs):,} runs, {hours:,.2f} worker-hours, {sum(run.rows for run in report.runs):,} rows"
    lines.append(f"{total} since {report.since:%Y-%m-%d %H:%M} UTC")
    if report.more:
        lines.append("There are more runs, older ones: take a shorter time with --since")
    for limit in report.limits:
        allowed = "no limit" if limit.allowed is None else f"of {limit.allowed:,.10g}"
        lines.append(f"{limit.used:,.10g} {allowed} {limit.unit}")
    return lines
