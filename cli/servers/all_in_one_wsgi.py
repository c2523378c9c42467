"""Make what gunicorn starts for `dppctl up`: `cli.servers.all_in_one_wsgi:all_in_one()`.

Apart from that of `dppctl receive`: what `make_all_in_one` imports late is imported here, once for all processes, which
share its memory.
"""

from flask import Flask

import cli.servers.local_data
import cli.servers.usage_server  # noqa: F401
import cluster.usage.app  # noqa: F401
from cli.servers.pages import make_all_in_one
from cli.servers.pages_wsgi import read_configuration


def all_in_one() -> Flask:
    """Return a receiver with the login and the usage pages beside it. Raises DppctlError for wrong settings."""
    return make_all_in_one(*read_configuration())
