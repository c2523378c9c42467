"""The option `--config`: the folder of dppctl's servers."""

from pathlib import Path

import click

from bot.model.file_names import REGISTRATION_FILE
from cli.errors import InputError
from cli.home_folder import home_folder


def servers_folder() -> Path:
    """Return the current folder if it has apps.yaml, else the one that `dppctl init` made, else the current one."""
    here, made = Path(), home_folder()
    return made if not (here / REGISTRATION_FILE).exists() and (made / REGISTRATION_FILE).exists() else here


def check_servers_folder(config: Path) -> None:
    """Raise InputError unless this is the folder of dppctl's servers."""
    if not (config / REGISTRATION_FILE).exists():
        raise InputError(
            f"{config.absolute()} is no folder of dppctl's servers: it has no {REGISTRATION_FILE}, which says which "
            "apps to deploy. `dppctl init` makes one; --config names another"
        )


CONFIG_OPTION = click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=servers_folder,
    show_default="here, or dppctl's in your home",
    help="The folder with apps.yaml and .env.",
)
