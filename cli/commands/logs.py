"""`dppctl logs`: what the pipelines of a deployment wrote, or of a run on a cluster."""

import sys
from pathlib import Path

import click

from bot.output import for_terminal
from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.errors import InputError
from cli.remote.clusters import CLUSTER_OPTION, choose_cluster


@command(
    examples="""
    dppctl logs 12                                  # deployment 12
    dppctl logs 12 --follow                         # until it has ended
    dppctl logs run-4f0c2d9b1a7e6583 --cluster office     # a run on a cluster
    """,
)
@click.argument("deployment", metavar="DEPLOYMENT | RUN")
@click.option("--follow", "-f", is_flag=True, help="Until the deployment has ended; exit code 1 if it did not succeed.")
@CONFIG_OPTION
@CLUSTER_OPTION
def logs(deployment: str, follow: bool, config: Path, cluster: str | None) -> None:
    """Print the log of a DEPLOYMENT (its id in `dppctl list deployments`, or in the address of its page).

    A RUN on a cluster, by its name, is reported as `dppctl run` does, from its start to its end; so is the exit code.
    """
    if not (deployment.isascii() and deployment.isdecimal()):
        sys.exit(_show_run(deployment, cluster))
    number = int(deployment)
    if not 0 < number < 2**31:
        raise InputError(f"{number} is no deployment's id; `dppctl list deployments` has those that are")
    from cli.open_store import find, open_store, unseen, watch

    with open_store(config) as store:
        found, log = find(store, number), store.deployments.log(number)
        click.echo(for_terminal(log), nl=False)
        if follow:
            for latest in watch(store, number):
                found, now = latest, store.deployments.log(number)
                click.echo(for_terminal(unseen(log, now)), nl=False)
                log = now
        if found.error:
            click.echo(for_terminal(f"{found.state}: {found.error}"), err=True)
    if follow and found.state != "succeeded":
        raise SystemExit(1)


def _show_run(name: str, cluster: str | None) -> int:
    chosen = choose_cluster(cluster, Path())
    if chosen is None:
        raise InputError(
            f"{name} is no deployment's id, which is a number; a run's log is on its cluster: --cluster NAME"
        )
    from cli.commands.run import make_report
    from cli.remote.client import connect
    from cli.remote.pods import show_log

    with make_report("text", verbose=True) as report, connect(chosen, report.note) as proxy:
        return show_log(proxy, name, report)
