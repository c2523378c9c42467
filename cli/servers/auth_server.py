"""The auth server, wired together from its settings: by itself, and for who mounts it at `/auth`."""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.database import Database
from bot.errors import DppctlError
from bot.logs import configure, get_logger
from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import Target, read_registration
from bot.probes import Probes
from bot.settings import Settings
from cli.private_files import keep_private, read_or_make_key
from cli.servers.daemon import Daemon
from cli.servers.gunicorn import WebServer
from cli.servers.lifecycle import listen, read_secret, read_settings
from cluster.auth.admission import Lists
from cluster.auth.app import create_auth_app
from cluster.auth.options import AuthOptions, GitHubAddresses, OAuthProvider, ProviderName
from cluster.auth.service import AuthService
from cluster.auth.tables import AUTH_SCHEMA

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = get_logger("dppctl.auth")

APPLICATION = "cli.servers.auth_wsgi:application()"


class AuthServer(Daemon):
    """`dppctl auth-server`: login, tokens, sessions, and who may do what."""

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Start its processes, whose end is noticed from `run` on. Raises DppctlError."""
        settings = read_settings(config)
        if settings.auth.mode == "none":
            raise DppctlError("DPPCTL_AUTH_MODE: is none, which needs no auth server; set it to token or oauth")
        read_secret("DPPCTL_AUTH_SERVICE_TOKEN_FILE", settings.auth.service_token_file)
        keep_private(settings.state_dir)
        service = open_auth(settings, read_targets(config))  # what is wrong is said here, in one line
        configure([*settings.all_secrets, *service.options.secrets])
        service.close()
        with listen("DPPCTL_AUTH_LISTEN", settings.auth.listen) as listening:
            self._server = WebServer(listening, APPLICATION, {"DPPCTL_CONFIG": str(config.absolute())})
        super().__init__(stopping, ExitStack())

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return its processes."""
        return {"auth": self._server.run}

    def hello(self) -> str:
        """Name where people log in."""
        self._server.wait_until_up(self.stopping)
        return f"dppctl auth is up: {self._server.address}/auth/login"

    def stop(self) -> None:
        """End it; what it is answering may take a second."""
        self._server.stop()


def open_auth(settings: Settings, targets: Iterable[Target] = ()) -> AuthService:
    """Return who knows people, on its database; the application is `create_auth_app(service.options, service)`.

    `targets`: of apps.yaml, which may say who deploys an app. Raises DppctlError.
    """
    options = auth_options(settings, targets)
    return AuthService(options, Database(settings.auth_database_url, AUTH_SCHEMA))


def auth_options(settings: Settings, targets: Iterable[Target] = ()) -> AuthOptions:
    """Return what the auth server is made with. Raises DppctlError for what is missing."""
    auth, key = settings.auth, _key(settings)
    token = b""
    if auth.service_token_file:
        token = read_secret("DPPCTL_AUTH_SERVICE_TOKEN_FILE", auth.service_token_file).strip()
    return AuthOptions(
        mode=auth.mode,
        key=key,
        public_url=settings.receiver.public_url,
        hosts=tuple(settings.page_hosts),
        service_token=token.decode(errors="replace"),
        tokens_file=settings.proxy.tokens_file,
        providers=_providers(settings) if auth.mode == "oauth" else (),
        github=GitHubAddresses(settings.github.url, settings.github.api_url, settings.github.verify),
        lists=Lists(auth.admins, auth.users, auth.organizations, auth.domains),
        deployers=_deployers(targets),
    )


def read_targets(config: Path) -> frozenset[Target]:
    """Return what the folder's apps.yaml registers; none when it has no such file. Raises DppctlError."""
    file = config / REGISTRATION_FILE
    return read_registration(file) if file.exists() else frozenset()


def _deployers(targets: Iterable[Target]) -> dict[str, tuple[str, ...]]:
    """Return by app who may deploy it, where apps.yaml says so."""
    return {str(target.app): target.may_deploy for target in targets if target.may_deploy is not None}


def _providers(settings: Settings) -> tuple[OAuthProvider, ...]:
    """Return where people log in. Raises DppctlError for half a provider, and without any."""
    auth = settings.auth
    google = "https://accounts.google.com/.well-known/openid-configuration"
    given: list[tuple[ProviderName, str, str, SecretStr, str]] = [
        ("github", "GitHub", auth.github_client_id, auth.github_client_secret, ""),
        ("google", "Google", auth.google_client_id, auth.google_client_secret, google),
        ("oidc", auth.oidc_name, auth.oidc_client_id, auth.oidc_client_secret, auth.oidc_metadata_url),
    ]
    found = []
    for name, title, identity, secret, metadata_url in given:
        prefix, hidden = f"DPPCTL_AUTH_{name.upper()}", secret.get_secret_value()
        if not identity and not hidden:
            continue
        if not identity or not hidden:
            raise DppctlError(f"{prefix}_CLIENT_{'SECRET' if identity else 'ID'}: is not set, but its other half is")
        if name == "oidc" and not metadata_url:
            raise DppctlError(f"{prefix}_METADATA_URL: is not set: the provider's …/.well-known/openid-configuration")
        found.append(OAuthProvider(name, title, identity, hidden, metadata_url))
    if not found:
        raise DppctlError("DPPCTL_AUTH_MODE: is oauth, but no provider is set; DPPCTL_AUTH_GITHUB_CLIENT_ID is one")
    if not (auth.users or auth.organizations or auth.domains):
        names = "DPPCTL_AUTH_USERS, DPPCTL_AUTH_ORGANIZATIONS, DPPCTL_AUTH_DOMAINS"
        _log.warning("nobody but admins can log in", admins=",".join(auth.admins) or "none", others=names)
    return tuple(found)


def _key(settings: Settings) -> bytes:
    """Return the key of the setting's file, or of one in the state folder, which is made. Raises DppctlError."""
    if settings.auth.key_file:
        return read_secret("DPPCTL_AUTH_KEY_FILE", settings.auth.key_file).strip()
    file = settings.state_dir / "auth.key"
    try:
        key = read_or_make_key(file).encode()
    except OSError as error:
        raise DppctlError(f"{file}: {error.strerror}; DPPCTL_AUTH_KEY_FILE can name another") from None
    if not key:
        raise DppctlError(f"{file}: is empty; remove it, and a new key is made")
    return key


def standalone(service: AuthService) -> "WSGIApplication":
    """Return the application as it stands alone: at `/auth`, with `/healthz` and `/readyz` beside it."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    def is_ready() -> str | None:
        with service.database.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        return None

    probes = Probes(healthy=lambda: None, ready=is_ready)
    return DispatcherMiddleware(probes.respond, {"/auth": create_auth_app(service.options, service)})
