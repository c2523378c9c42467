"""What a WSGI server starts: `gunicorn 'webhooks.wsgi:application()'`; DPPCTL_CONFIG is the configuration's folder."""

import os
from pathlib import Path

from flask import Flask

from bot.logs import configure
from bot.model.registration import REGISTRATION_FILE, read_registration
from bot.settings import load_settings
from bot.store.store import Store
from webhooks.app import create_app


def application() -> Flask:
    """A receiver of its own for each process; they share the store. Raises DppctlError for settings that are wrong."""
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config)
    configure(settings.all_secrets)
    targets = read_registration(config / REGISTRATION_FILE)
    return create_app(settings, targets, Store(settings.database_url))
