"""Logging: one event a line on stderr, secrets masked at this one place."""

import logging
import re
from collections.abc import Sequence

# GitHub's own, also those that an app gets for an hour:
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
_TOKEN = re.compile(r"\bgh[a-z]_\w{16,}|\bgithub_pat_\w{16,}")


def configure(secrets: Sequence[str]) -> None:
    """Write the records of `dppctl.*` to stderr, without the secrets."""
    # Neither in our lines nor in gunicorn's: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler()
    handler.setFormatter(_Masked(secrets))
    logger = logging.getLogger("dppctl")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Masked(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record), self._secrets)


def mask(text: str, secrets: Sequence[str]) -> str:
    """Without the secrets, and without what looks like a token of GitHub's."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return _TOKEN.sub("***", text)
