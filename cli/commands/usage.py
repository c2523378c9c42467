"""`dppctl usage`: what was used of a cluster, by oneself or by others, and what is left of one's limits."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from cli.documented import command
from cli.errors import InputError
from cli.listing import chosen_output, output_option, show, yaml_text
from cli.output_options import note
from cli.remote.clusters import CLUSTER_OPTION

if TYPE_CHECKING:
    from cluster.usage.shapes import UsageReport


@command(
    examples="""
    dppctl usage                          # of the last 7 days
    dppctl usage --mine --since 30d
    dppctl usage --since 2026-11-01 -o csv >usage.csv
    """,
)
@click.option("--mine", is_flag=True, help="Your own; for who is no admin it always is.")
@click.option("--user", help="Somebody else's, such as github:583231; for admins.")
@click.option("--since", default="7d", show_default=True, help="12h, 7d, 2w, or a day such as 2026-01-31.")
@output_option("csv")
@CLUSTER_OPTION
def usage(mine: bool, user: str | None, since: str, output: str | None, cluster: str | None) -> None:
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
    with connect(chosen, note) as proxy:
        asked = {"since": since, "format": "csv" if output == "csv" else "json"}
        if user:
            asked["user"] = user
        elif not mine and "admin" in proxy.about().scopes:
            asked["all"] = "1"
        text = proxy.usage(urlencode(asked))
    match chosen_output(output):
        case "table":
            _show(UsageReport.model_validate_json(text))
        case "yaml":
            click.echo(yaml_text(json.loads(text)), nl=False)
        case "name":
            for run in UsageReport.model_validate_json(text).runs:
                click.echo(run.run)
        case _:
            sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def _show(report: "UsageReport") -> None:
    """Print a report as a table, and below it what it comes to, and the limits."""
    rows = [
        {
            "run": run.run,
            "user": run.user or "by the clock",
            "begun": f"{run.created:%Y-%m-%d %H:%M}",
            "outcome": run.outcome,
            "worker": f"{run.worker_seconds:,.0f} s",
            "database": f"{run.database_seconds:,.0f} s",
            "rows": run.rows,
            "mb in": f"{run.bytes_in / 1e6:,.1f}",
        }
        for run in report.runs
    ]
    if rows:
        columns = {name: name for name in rows[0]}
        show(rows, "table", columns=columns, name=lambda row: row["run"], empty="")
    for line in usage_lines(report):
        click.echo(line)


def usage_lines(report: "UsageReport") -> list[str]:
    """Return what a report comes to, and how the limits stand, as lines for people."""
    hours = sum(run.worker_seconds for run in report.runs) / 3600
    total = f"{len(report.runs):,} runs, {hours:,.2f} worker-hours, {sum(run.rows for run in report.runs):,} rows"
    lines = [f"{total} since {report.since:%Y-%m-%d %H:%M} UTC"]
    if report.more:
        lines.append("There are more runs, older ones: take a shorter time with --since")
    for limit in report.limits:
        allowed = "no limit" if limit.allowed is None else f"of {limit.allowed:,.10g}"
        lines.append(f"{limit.used:,.10g} {allowed} {limit.unit}")
    return lines
