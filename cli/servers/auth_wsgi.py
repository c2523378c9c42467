"""Make what gunicorn starts for `dppctl auth-server`: `cli.servers.auth_wsgi:application()`.

The environment variable DPPCTL_CONFIG is the configuration's folder.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.logs import configure
from bot.settings import load_settings
from cli.servers.auth_server import open_auth, read_targets, standalone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def application() -> "WSGIApplication":
    """Return the auth server; each process has its own, and they share the database. Raises DppctlError."""
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config, receives=False)
    service = open_auth(settings, read_targets(config))
    configure([*settings.all_secrets, *service.options.secrets])
    return standalone(service)
