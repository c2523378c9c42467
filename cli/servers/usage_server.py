"""The usage server, wired together from its settings: by itself, and for who mounts its page at `/usage`."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bot.accounts import Accounts, AccountsClient
from bot.errors import DppctlError
from bot.logs import configure
from bot.probes import Probes
from bot.settings import Settings
from cli.private_files import keep_private
from cli.servers.daemon import Daemon
from cli.servers.gunicorn import WebServer
from cli.servers.lifecycle import listen, read_secret, read_settings
from cluster.usage.app import UsageOptions, create_usage_app
from cluster.usage.follower import Follower
from cluster.usage.live_runs import LiveRuns
from cluster.usage.metrics import UsageMetrics
from cluster.usage.service import UsageService
from webhooks.visitors import has_public_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

APPLICATION = "cli.servers.usage_wsgi:application()"


class UsageServer(Daemon):
    """`dppctl usage-server`: limits, places, and the log."""

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Start its process, whose end is noticed from `run` on. Raises DppctlError."""
        settings = read_settings(config)
        held = secrets_of(settings)
        keep_private(settings.state_dir)
        open_usage(settings).close()  # what is wrong is said here, in one line
        configure([*settings.all_secrets, *held])
        with listen("DPPCTL_USAGE_LISTEN", settings.usage.listen) as listening:
            # One process, whose threads wait for each other quicker than processes would in the database.
            environment = {"DPPCTL_CONFIG": str(config.absolute())}
            self._server = WebServer(listening, APPLICATION, environment, workers=1)
        super().__init__(stopping, ExitStack())

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return its process."""
        return {"usage": self._server.run}

    def hello(self) -> str:
        """Name its page."""
        self._server.wait_until_up(self.stopping)
        return f"dppctl usage is up: {self._server.address}/usage/"

    def stop(self) -> None:
        """End it; what it is answering may take a second."""
        self._server.stop()


def open_usage(settings: Settings) -> UsageService:
    """Return limits and log, on their database. Raises DppctlError."""
    return UsageService(settings.usage_database_url, settings.usage.limits_file)


def secrets_of(settings: Settings) -> list[str]:
    """Return the tokens by which it and the proxy know each other. Raises DppctlError for one that is missing."""
    files = {
        "DPPCTL_USAGE_TOKEN_FILE": settings.usage.token_file,
        "DPPCTL_PROXY_SERVICE_TOKEN_FILE": settings.proxy.service_token_file,
    }
    return [read_secret(name, file).decode(errors="replace").strip() for name, file in files.items()]


def standalone(settings: Settings) -> "WSGIApplication":
    """Return the application as it stands alone, at `/usage`, and begin to follow the runs. Raises DppctlError."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    token, _ = secrets_of(settings)
    assert settings.proxy.service_token_file is not None  # noqa: S101 (secrets_of has read it)
    service = open_usage(settings)
    metrics = UsageMetrics(service)
    follower = Follower(service, LiveRuns(settings.proxy.url, settings.proxy.service_token_file), metrics)
    follower.start()

    def is_ready() -> str | None:
        service.reservations.count_open()
        return None

    probes = Probes(healthy=follower.problem, ready=is_ready, metrics=metrics)
    mode = settings.auth.mode
    has_page = mode != "none" or not has_public_host(settings.receiver.public_url)
    options = UsageOptions(token, mode, has_page)
    app = create_usage_app(options, service, _accounts(settings), metrics, follower.refresh)
    return DispatcherMiddleware(probes.respond, {"/usage": app})


def _accounts(settings: Settings) -> Accounts | None:
    """Return who knows the visitors of the page. Raises DppctlError."""
    if settings.auth.mode == "none":
        return None
    if not settings.auth.url or settings.auth.service_token_file is None:
        raise DppctlError(
            "DPPCTL_AUTH_URL, DPPCTL_AUTH_SERVICE_TOKEN_FILE: are to be set with "
            f"DPPCTL_AUTH_MODE={settings.auth.mode}; people are known there"
        )
    return AccountsClient(settings.auth.url, settings.auth.service_token_file)
