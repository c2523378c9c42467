"""Who tells others what became of deployments, each in a thread of its own: GitHub, and people."""

from collections.abc import Callable, Set

from bot.github.credentials import Credentials
from bot.model.registration import Target
from bot.polling_thread import PollingThread
from bot.settings import Settings
from bot.store.store import Store


def make_notification_threads(
    settings: Settings, targets: Set[Target], store: Store, credentials: Credentials, leads: Callable[[], bool]
) -> list[PollingThread]:
    """Return those that the settings ask for. `leads`: this bot is the one that tells, of several that share a store.

    Raises DppctlError for an address that nobody understands.
    """
    found: list[PollingThread] = []
    if settings.github.has_api:
        from bot.github.notifier import Notifier  # PyGithub takes a third of a second, and not everybody is on GitHub

        found.append(Notifier(settings, targets, store, credentials, leads))
    if settings.alerts.addresses:
        from bot.alerts.alerter import Alerter  # Apprise takes as long
        from bot.alerts.sender import Address

        addresses = [Address(address.get_secret_value()) for address in settings.alerts.addresses]
        url = settings.receiver.public_url
        page = (lambda deployment: f"{url}/deployments/{deployment}") if url else (lambda _: None)
        found.append(Alerter(addresses, settings.alerts.rules, targets, store, leads, page))
    return found
