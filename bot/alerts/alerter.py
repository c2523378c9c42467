"""Tell people: look what environments are, decide, send. In a thread of its own, as a service may be slow or away."""

from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime

from bot.alerts.sender import Address, AlertSender
from bot.backoff import Backoff
from bot.limits import ALERT_LOOK_SECONDS, ALERT_POLL_SECONDS
from bot.model.alerts import Alert, AlertRules, decide_alerts, over
from bot.model.registration import Target
from bot.polling_thread import PollingThread
from bot.store.store import Store

_BAD = ("failed", "silent")


class Alerter(PollingThread):
    """Tells the addresses of the settings."""

    def __init__(
        self,
        addresses: Sequence[Address],
        rules: AlertRules,
        targets: Set[Target],
        store: Store,
        leads: Callable[[], bool],
        page: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """Check the addresses. `leads`: as the notifier's; `page`: a deployment's address. Raises DppctlError."""
        super().__init__("alerts", ALERT_POLL_SECONDS, leads)
        self._sender = AlertSender()
        for address in addresses:
            self._sender.check(address)
        self._addresses = addresses
        self._rules = rules
        self._places = sorted({(str(target.app), target.environment) for target in targets})
        self._store = store
        self._page = page
        self._backoff = Backoff[str]()
        self._change, self._next_look = -1, datetime.min.replace(tzinfo=UTC)

    def work(self, now: datetime) -> None:
        """Do one round, when something has changed, or the clock may have."""
        change = self._store.totals.change_number()
        if change == self._change and now < self._next_look and not self._backoff.due():
            return
        self._change = change
        self._next_look = datetime.fromtimestamp(now.timestamp() + ALERT_LOOK_SECONDS, UTC)
        for app, environment in self._places:
            state = self._store.alerts.now(app, environment)
            for address in self._addresses:
                if self._stop.is_set():
                    return
                told = self._store.alerts.told(address.digest, app, environment, now)
                if kinds := over(state, told):
                    self._store.alerts.forget(address.digest, app, environment, kinds)
                for alert in decide_alerts(state, told, self._rules, now):
                    if self._send(address, alert):
                        self._store.alerts.record(address.digest, app, environment, alert.kind, alert.key)

    def _send(self, address: Address, alert: Alert) -> bool:
        """Return whether it was sent; what could not be is tried again later."""
        if self._backoff.waits(address.digest):
            return False
        page = self._page(alert.deployment) if alert.deployment else None
        text = f"{alert.text}\n{page}" if page else alert.text
        if self._sender.send(address, alert.title, text, is_bad=alert.kind in _BAD):
            self._backoff.succeeded(address.digest)
            self._log.info("told", kind=alert.kind, what=alert.title, address=address.name)
            return True
        self._backoff.failed(address.digest)
        self._log.warning("not told, it is tried again", kind=alert.kind, what=alert.title, address=address.name)
        return False
