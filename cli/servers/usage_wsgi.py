"""Make what gunicorn starts for `dppctl usage-server`: `cli.servers.usage_wsgi:application()`.

The environment variable DPPCTL_CONFIG is the configuration's folder.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.logs import configure
from bot.settings import load_settings
from cli.servers.usage_server import secrets_of, standalone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def application() -> "WSGIApplication":
    """Return the usage server. Raises DppctlError."""
    settings = load_settings(Path(os.environ["DPPCTL_CONFIG"]), receives=False)
    configure([*settings.all_secrets, *secrets_of(settings)])
    return standalone(settings)
