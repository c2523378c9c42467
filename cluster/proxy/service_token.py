"""The usage server as a caller: it shows a token of its own, sees all runs, and may stop them and leave notices."""

import hmac
from pathlib import Path

from bot.accounts import RememberedAccount
from bot.logs import get_logger
from bot.model.account import Account
from cluster.proxy.callers import Callers

SERVICE_USER = "service:usage"
_ACCOUNT = Account(SERVICE_USER, "usage server", frozenset({"read", "run", "admin"}), token="usage server")  # noqa: S106

_log = get_logger("dppctl.proxy")


class ServiceCallers:
    """Callers, and the usage server, by what stands in a file."""

    def __init__(self, callers: Callers, file: Path) -> None:
        """Take what knows the others, and the file, which is read each time, as it may be renewed."""
        self._callers, self._file = callers, file

    def recall(self, token: str) -> RememberedAccount | None:
        """Return what is known of a token without asking anybody."""
        if self._is_service(token):
            return RememberedAccount(_ACCOUNT, holds=True)
        return self._callers.recall(token)

    async def ask(self, token: str) -> Account | None:
        """Return whose token it is."""
        return _ACCOUNT if self._is_service(token) else await self._callers.ask(token)

    def _is_service(self, token: str) -> bool:
        if token.startswith("dppctl_"):  # a person's
            return False
        try:
            known = self._file.read_text().strip()
        except OSError as error:
            _log.error("service token cannot be read", file=str(self._file), error=error.strerror)
            return False
        return bool(known) and hmac.compare_digest(known.encode(), token.encode(errors="surrogateescape"))
