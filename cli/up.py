"""`dppctl up`: receiver, bot and local sync in one process."""

from pathlib import Path

import click

from cli.servers_folder import CONFIG_OPTION


@click.command()
@CONFIG_OPTION
def up(config: Path) -> None:
    """Deploy on this machine what is pushed: the webhook receiver, the bot and local sync, until Ctrl-C.

    The folder holds apps.yaml (which apps to deploy) and .env (DPPCTL_WEBHOOK_SECRETS=… and other settings).
    """
    from cli.server import serve
    from cli.stack import Stack

    serve(lambda stopping: Stack(config, click.echo, stopping))
