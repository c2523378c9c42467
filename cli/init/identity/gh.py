"""GitHub's own command line, gh: where it is logged in, it has a token of the person's.

https://cli.github.com/manual/gh_auth_token, and for the variables https://cli.github.com/manual/gh_help_environment
"""

import shutil
from urllib.parse import urlsplit

from bot.process import Ended, ask
from bot.program_environment import listed_environment
from cli.limits import GH_SECONDS

_VARIABLES = ("GH_*", "GITHUB_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "DBUS_SESSION_BUS_ADDRESS")


def is_logged_in(url: str) -> bool:
    """Return whether gh is there, and logged in to the GitHub at this URL. Its token is not looked at."""
    return shutil.which("gh") is not None and not _gh("status", url).code


def gh_token(url: str) -> str | None:
    """Return gh's token for the GitHub at this URL; None: gh is not there, or not logged in."""
    ended = _gh("token", url)
    return ended.out.strip() or None if not ended.code else None


def _gh(command: str, url: str) -> Ended:
    host = urlsplit(url).hostname or ""
    return ask(["gh", "auth", command, "--hostname", host], listed_environment(*_VARIABLES), GH_SECONDS, separate=True)
