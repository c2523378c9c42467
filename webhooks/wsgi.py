"""Make what a WSGI server starts, as in `gunicorn 'webhooks.wsgi:application()'`.

The environment variable DPPCTL_CONFIG is the configuration's folder.
"""

import os
from pathlib import Path

from flask import Flask

from bot.logs import configure
from bot.model.registration import REGISTRATION_FILE, read_registration
from bot.settings import load_settings
from bot.store.store import Store
from webhooks.app import create_app


def application(*, shortcut: bool = True) -> Flask:
    """Return a receiver; each process has its own, and they share the store.

    `shortcut`: as create_app. Raises DppctlError for wrong settings.
    """
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config)
    configure(settings.all_secrets)
    targets = read_registration(config / REGISTRATION_FILE)
    return create_app(settings, targets, Store(settings.database_url), shortcut=shortcut)
