"""Make what gunicorn starts for `dppctl storage-server`: `cli.servers.storage_wsgi:application()`.

The environment variable DPPCTL_CONFIG is the configuration's folder.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.logs import configure
from bot.settings import load_settings
from cli.servers.storage_server import make_storage_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def application() -> "WSGIApplication":
    """Return the storage server. Raises DppctlError."""
    settings = load_settings(Path(os.environ["DPPCTL_CONFIG"]), receives=False)
    configure(settings.all_secrets)
    return make_storage_app(settings).respond
