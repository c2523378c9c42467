"""`dppctl up`: receiver, bot and local sync in one process."""

from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.errors import InputError
from cli.output_options import say


@command(
    examples="""
    dppctl up                # until Ctrl-C
    dppctl up --install      # in the background, from now on
    dppctl up --uninstall    # no more; what was deployed stays
    """,
)
@CONFIG_OPTION
@click.option("--install", "installs", is_flag=True, help="Have systemd run it now, at boot, and when it breaks.")
@click.option("--uninstall", "uninstalls", is_flag=True, help="Undo that; what was deployed stays.")
def up(config: Path, installs: bool, uninstalls: bool) -> None:
    """Deploy on this machine what is pushed: the webhook receiver, the bot and local sync, until Ctrl-C.

    The folder holds apps.yaml (which apps to deploy) and .env (DPPCTL_WEBHOOK_SECRETS=… and other settings).
    """
    if installs or uninstalls:
        if installs and uninstalls:
            raise InputError("--install, --uninstall: only one of them")
        from cli.prerequisites.servers import check_up
        from cli.servers.systemd import find_unit, install, uninstall

        if installs:
            check_up(config, begins=False)
        for line in install(find_unit(), config) if installs else uninstall(find_unit()):
            say(line)
        return
    from cli.prerequisites.servers import check_up
    from cli.servers.all_in_one import AllInOne
    from cli.servers.lifecycle import serve

    check_up(config)
    serve(lambda stopping: AllInOne(config, say, stopping))
