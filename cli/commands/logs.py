"""`dppctl logs`: what the pipelines of a deployment wrote."""

from pathlib import Path

import click

from bot.output import for_terminal
from cli.config_option import CONFIG_OPTION


@click.command()
@click.argument("deployment", type=click.IntRange(1, 2**31 - 1))
@click.option("--follow", "-f", is_flag=True, help="Until the deployment has ended; exit code 1 if it did not succeed.")
@CONFIG_OPTION
def logs(deployment: int, follow: bool, config: Path) -> None:
    """Print the log of a DEPLOYMENT (its id in `dppctl list deployments`, or in the address of its page)."""
    from cli.open_store import find, open_store, unseen, watch

    with open_store(config) as store:
        found, log = find(store, deployment), store.deployments.log(deployment)
        click.echo(for_terminal(log), nl=False)
        if follow:
            for latest in watch(store, deployment):
                found, now = latest, store.deployments.log(deployment)
                click.echo(for_terminal(unseen(log, now)), nl=False)
                log = now
        if found.error:
            click.echo(for_terminal(f"{found.state}: {found.error}"), err=True)
    if follow and found.state != "succeeded":
        raise SystemExit(1)
