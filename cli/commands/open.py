"""`dppctl open`: the pages, a deployment's, an environment's, or what it publishes, in the browser."""

from pathlib import Path

import click

from cli.completions import complete_app_or_environment
from cli.config_option import CONFIG_OPTION, check_servers_folder
from cli.documented import command
from cli.errors import InputError


@command(
    "open",
    examples="""
    dppctl open                                 # what runs where
    dppctl open 12                              # deployment 12
    dppctl open ann/data staging                # an environment
    dppctl open ann/data staging --storage      # what it publishes
    """,
)
@click.argument("what", nargs=-1, metavar="[DEPLOYMENT | APP ENVIRONMENT]", shell_complete=complete_app_or_environment)
@click.option("--storage", is_flag=True, help="What the environment publishes: its site and data packages.")
@click.option("--print", "prints", is_flag=True, help="Print the address; open nothing.")
@CONFIG_OPTION
def open_(what: tuple[str, ...], storage: bool, prints: bool, config: Path) -> None:
    """Open a page in the browser, and print its address."""
    from bot.model.registration import check_registered
    from bot.settings import load_settings
    from cli.environment_rows import registered
    from cli.page_urls import deployment_url, environment_url, pages_url, storage_url

    check_servers_folder(config)
    settings = load_settings(config, receives=False)
    if storage and len(what) != 2:
        raise InputError("--storage is an environment's: dppctl open APP ENVIRONMENT --storage")
    match what:
        case ():
            url = f"{pages_url(settings)}/"
        case (number,) if number.isascii() and number.isdecimal():
            url = deployment_url(settings, int(number))
        case (app, environment):
            targets = check_registered(app, environment, registered(config))
            url = (
                storage_url(settings, targets[0].app.slug, environment)
                if storage
                else environment_url(settings, app, environment)
            )
        case _:
            raise InputError(f"{' '.join(what)}: name a deployment by its number, or an app and its environment")
    click.echo(url)
    if not prints and click.launch(url) != 0:
        click.echo("no browser opens it here", err=True)
