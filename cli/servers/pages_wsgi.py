"""Make what gunicorn starts for `dppctl receive` and `dppctl up`, as in `cli.servers.pages_wsgi:receiver()`.

The environment variable DPPCTL_CONFIG is the configuration's folder. Each process has its own; they share the store.
"""

import os
from pathlib import Path

from flask import Flask

from bot.logs import configure
from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import Target, read_registration
from bot.settings import Settings, load_settings
from cli.servers.pages import make_all_in_one, make_receiver


def receiver(*, shortcut: bool = True) -> Flask:
    """Return a receiver. Raises DppctlError for wrong settings. `shortcut`: as create_app."""
    return make_receiver(*_read(), shortcut=shortcut)


def all_in_one() -> Flask:
    """Return a receiver with the login and the usage pages beside it. Raises DppctlError for wrong settings."""
    return make_all_in_one(*_read())


def _read() -> tuple[Settings, frozenset[Target]]:
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config)
    configure(settings.all_secrets)
    return settings, read_registration(config / REGISTRATION_FILE)
