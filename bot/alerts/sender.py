"""Send to people by Apprise, which knows some hundred services: https://github.com/caronc/apprise/wiki."""

import hashlib
import logging
from dataclasses import dataclass

from bot.errors import DppctlError
from bot.limits import ALERT_TITLE, MAX_ALERT
from bot.output import one_line


@dataclass(frozen=True)
class Address:
    """An address of Apprise's. It may hold a password, so messages and the store have its `name` and `digest` alone."""

    url: str

    @property
    def digest(self) -> str:
        """Return what tells it from others and says nothing of it."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Return the service: `mailtos://…`."""
        return f"{self.url.partition('://')[0]}://…"


class AlertSender:
    """Sends to addresses of Apprise's."""

    def __init__(self) -> None:
        """Load Apprise, which takes a while; what it logs of addresses is dropped."""
        import apprise

        self._apprise = apprise
        quiet = logging.getLogger("apprise")
        quiet.handlers, quiet.propagate = [logging.NullHandler()], False

    def check(self, address: Address) -> None:
        """Raise DppctlError, which names the service alone, for an address that Apprise does not understand."""
        if self._apprise.Apprise.instantiate(address.url) is None:
            raise DppctlError(
                f"DPPCTL_ALERTS: {address.name} is no address of Apprise's: see https://github.com/caronc/apprise/wiki"
            )

    def send(self, address: Address, title: str, text: str, *, is_bad: bool) -> bool:
        """Send; return whether the service took it."""
        target = self._apprise.Apprise()
        target.add(address.url)
        kind = self._apprise.NotifyType.FAILURE if is_bad else self._apprise.NotifyType.INFO
        sent = target.notify(
            title=one_line(title, ALERT_TITLE),
            body=text[:MAX_ALERT],
            notify_type=kind,
            body_format=self._apprise.NotifyFormat.TEXT,
        )
        return bool(sent)
