"""`dppctl up`: receiver, bot and local sync in one process."""

from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION


@click.command()
@CONFIG_OPTION
def up(config: Path) -> None:
    """Deploy on this machine what is pushed: the webhook receiver, the bot and local sync, until Ctrl-C.

    The folder holds apps.yaml (which apps to deploy) and .env (DPPCTL_WEBHOOK_SECRETS=… and other settings).
    """
    from cli.servers.all_in_one import AllInOne
    from cli.servers.lifecycle import serve

    serve(lambda stopping: AllInOne(config, click.echo, stopping))
