"""The proxy of runs on a cluster, wired together from its settings."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from bot.errors import DppctlError
from bot.kubeconfig import own_namespace
from bot.kubernetes import KubernetesClient, NoClusterError
from bot.logs import configure
from bot.settings import Settings
from cli.limits import PROXY_STOP_SECONDS
from cli.servers.daemon import Daemon
from cli.servers.lifecycle import listen, read_secret, read_settings
from cli.servers.operator_server import read_publisher
from cluster.proxy.application import ProxyAbout
from cluster.proxy.landing import PublicAbout
from cluster.proxy.server import Proxy, ProxyOptions
from cluster.runs_api import LoginInfo


class ProxyServer(Daemon):
    """`dppctl proxy`: the API of runs."""

    finishes: ClassVar[Mapping[str, float]] = {"proxy": PROXY_STOP_SECONDS}

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Open all that is needed. Raises DppctlError."""
        settings = read_settings(config)
        token = read_secret("DPPCTL_OPERATOR_TOKEN_FILE", settings.runs.operator_token_file)
        held = [token]
        if settings.auth.url:
            held.append(read_secret("DPPCTL_AUTH_SERVICE_TOKEN_FILE", settings.auth.service_token_file))
        elif settings.proxy.tokens_file is None:
            hint = "`dppctl token create` makes such a file; or let DPPCTL_AUTH_URL lead to the auth server"
            raise DppctlError(f"DPPCTL_PROXY_TOKENS_FILE: is not set; {hint}")
        if settings.usage.url:
            held.append(read_secret("DPPCTL_USAGE_TOKEN_FILE", settings.usage.token_file))
        if settings.proxy.service_token_file:
            held.append(read_secret("DPPCTL_PROXY_SERVICE_TOKEN_FILE", settings.proxy.service_token_file))
        publisher = read_publisher(settings)
        if publisher:
            held.append(publisher.token_file.read_bytes())
        configure([*settings.all_secrets, *(each.decode(errors="replace").strip() for each in held)])
        assert settings.runs.operator_token_file is not None  # noqa: S101 (read_secret has read it)
        try:
            client = KubernetesClient()
            self._namespace = settings.runs.namespace or own_namespace()
        except NoClusterError as error:
            raise DppctlError(f"no cluster: {error.reason}; let KUBECONFIG name one, or run in a pod") from None
        options = ProxyOptions(
            operator_url=settings.proxy.operator_url,
            operator_token_file=settings.runs.operator_token_file,
            tokens_file=settings.proxy.tokens_file,
            about=ProxyAbout(
                settings.proxy.cluster or self._namespace, version("dppctl"), _login(settings), _public(settings)
            ),
            auth_url=settings.auth.url,
            auth_token_file=settings.auth.service_token_file,
            service_token_file=settings.proxy.service_token_file,
            usage_url=settings.usage.url,
            usage_token_file=settings.usage.token_file,
            spool=settings.state_dir / "usage-events",
            publisher=publisher,
            storage_url=settings.storage.url,
        )
        self._proxy = Proxy(client, self._namespace, options)
        with ExitStack() as opened:
            self._socket = opened.enter_context(listen("DPPCTL_PROXY_LISTEN", settings.proxy.listen))
            super().__init__(stopping, opened.pop_all())
        self._loop = asyncio.new_event_loop()

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return the proxy."""
        return {"proxy": lambda: self._loop.run_until_complete(self._proxy.run(self._socket))}

    def hello(self) -> str:
        """Name its address, and its namespace."""
        host, port = self._socket.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"dppctl proxy is up: http://{address}/ (runs in namespace {self._namespace})"

    def stop(self) -> None:
        """End its streams at once, and the rest in a few seconds; runs go on."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._proxy.stop)


def _login(settings: Settings) -> LoginInfo:
    """Return how people log in: by a browser or a token, and where, if that is known."""
    public = settings.receiver.public_url if settings.auth.url else ""
    return LoginInfo(
        mode="oauth" if settings.auth.url and settings.auth.mode == "oauth" else "token",
        url=f"{public}/auth" if public else "",
        public=settings.public_cluster.enabled,
    )


def _public(settings: Settings) -> PublicAbout | None:
    """Return what a public cluster says to everybody; None: it is private. Raises DppctlError for what is missing."""
    found = settings.public_cluster
    if not found.enabled:
        return None
    needed = {
        "DPPCTL_PUBLIC_URL": settings.receiver.public_url,
        "DPPCTL_PUBLIC_OPERATOR": found.operator,
        "DPPCTL_PUBLIC_CONTACT": found.contact,
        "DPPCTL_AUTH_URL": settings.auth.url,
        "DPPCTL_USAGE_URL": settings.usage.url,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise DppctlError(f"DPPCTL_PUBLIC_CLUSTER: a public cluster needs {', '.join(missing)} too")
    limits = settings.usage.limits_file
    return PublicAbout(settings.receiver.public_url, found.operator, found.contact, found.keep_days, limits)
