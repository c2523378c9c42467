"""What dppctl's servers need on this machine: for `dppctl up`, and before, for what sets them up."""

import os
from collections.abc import Iterator
from pathlib import Path

from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import read_registration
from bot.settings import Settings, load_settings
from bot.settings.load import read_variables
from bot.settings.variables import KEYRING
from cli.config_option import check_servers_folder
from cli.limits import BIND_SECONDS
from cli.prerequisites.machine import git, git_author, port, python, uv, writable
from cli.prerequisites.missing import Missing, attempt, require
from cli.private_files import is_used


def check_up(config: Path, *, begins: bool = True) -> None:
    """Raise InputError with all that `dppctl up` lacks; `begins`: it is to listen at once, so its ports are free."""
    found = [python(), git(), uv(), no_folder := attempt(lambda: check_servers_folder(config))]
    if not no_folder:
        found.append(attempt(lambda: read_registration(config / REGISTRATION_FILE)))
        found.append(no_keyring := keyring(config))
        settings, refused = read_settings(config, receives=not no_keyring)
        found.append(refused)
        if settings:
            found.append(writable(settings.state_dir, "DPPCTL_STATE_DIR"))
            found += ports(settings, BIND_SECONDS) if begins else []
    require(found)


def check_local(folder: Path, config: Path, *, removes: bool = False) -> None:
    """Raise InputError with all that an app of this machine and its servers lack; `removes`: to undo that."""
    settings, refused = read_settings(config, receives=False)
    found = [
        python(),
        git(),
        writable(folder, "--local FOLDER"),
        writable(config, "--config"),
        keyring(config),
        refused,
    ]
    if not removes:
        found.append(uv())
        # Without a file of settings there is no port yet, and one that is free is taken.
        found += ports(settings) if settings and "DPPCTL_PORT" in read_variables(config) else []
    require(found, [git_author(folder)])


def read_settings(config: Path, *, receives: bool) -> tuple[Settings | None, Missing | None]:
    """Return the settings, without what a keyring has where there is none; or why they are refused."""
    environment = {**os.environ, KEYRING: ""} if keyring(config) else os.environ
    refused = attempt(lambda: load_settings(config, environment, receives=receives))
    return (None, refused) if refused else (load_settings(config, environment, receives=receives), None)


def keyring(config: Path) -> Missing | None:
    """Look for the system's keyring, where the settings say that secrets are there."""
    from cli.init.secret_stores import has_keyring

    if attempt(lambda: read_variables(config)) or not read_variables(config).get(KEYRING) or has_keyring():
        return None
    return Missing(
        f"{KEYRING} says that secrets are in the system's keyring, and this system has none",
        f"take it out of {config / '.env'}, and have secrets kept in that file (dppctl init --env-file)",
    )


def ports(settings: Settings, seconds: float = 0.0) -> Iterator[Missing | None]:
    """Look whether the servers' ports are free; as long as they run themselves nothing is looked at."""
    if is_used(settings.state_dir):
        return
    for host, number, setting in (
        (settings.listen.host, settings.listen.port, "DPPCTL_PORT"),
        (settings.storage.host, settings.storage_port, "DPPCTL_STORAGE_PORT"),
    ):
        if number:
            yield port(host, number, setting, seconds)
