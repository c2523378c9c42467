"""Make what gunicorn starts for `dppctl receive`: `cli.servers.pages_wsgi:receiver()`.

The environment variable DPPCTL_CONFIG is the configuration's folder. Each process has its own; they share the store.
"""

import os
from pathlib import Path

from flask import Flask

from bot.logs import configure
from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import Target, read_registration
from bot.settings import Settings, load_settings
from cli.servers.pages import make_receiver


def receiver(*, shortcut: bool = True) -> Flask:
    """Return a receiver. Raises DppctlError for wrong settings. `shortcut`: as create_app."""
    return make_receiver(*read_configuration(), shortcut=shortcut)


def read_configuration() -> tuple[Settings, frozenset[Target]]:
    """Return the settings and the registration, and configure the log. Raises DppctlError for what is wrong."""
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config)
    configure(settings.all_secrets)
    return settings, read_registration(config / REGISTRATION_FILE)
