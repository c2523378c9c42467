"""The pages, put together from the settings with what they go by: who people are, who may act.

The receiver alone asks the auth server over HTTP; in `dppctl up` it is mounted in the same processes, at `/auth`.
"""

from collections.abc import Set
from typing import TYPE_CHECKING

from flask import Flask

from bot.accounts import Accounts, AccountsClient
from bot.errors import DppctlError
from bot.logs import configure
from bot.model.registration import Target
from bot.settings import Settings
from bot.store.store import Store
from cli.private_files import read_or_make_key
from webhooks.app import create_app
from webhooks.visitors import LocalVisitors, LoginVisitors, Visitors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def check_login(settings: Settings) -> None:
    """Raise DppctlError when the settings of the login do not fit together."""
    if settings.receiver.pages == "login" and settings.auth.mode == "none":
        raise DppctlError("DPPCTL_PAGES: is login, but there is none; set DPPCTL_AUTH_MODE to token or oauth")


def prepare_login(settings: Settings, targets: Set[Target]) -> None:
    """Make the keys and the database of a login inside of this process's pages, before these start.

    Raises DppctlError for what is wrong.
    """
    check_login(settings)
    if settings.auth.mode != "none":
        from cli.servers.auth_server import open_auth

        open_auth(settings, targets).close()


def make_receiver(settings: Settings, targets: Set[Target], *, shortcut: bool = True) -> Flask:
    """Return what `dppctl receive` serves. Raises DppctlError. `shortcut`: as create_app."""
    accounts = None if settings.auth.mode == "none" else ask_auth_server(settings)
    visitors = _visitors(settings, accounts)
    return create_app(settings, targets, Store(settings.database_url), shortcut=shortcut, visitors=visitors)


def make_all_in_one(settings: Settings, targets: Set[Target]) -> Flask:
    """Return what `dppctl up` serves: the receiver, and the login at `/auth` where there is one. Raises DppctlError."""
    mounts: dict[str, WSGIApplication] = {}
    accounts: Accounts | None = None
    if settings.auth.mode != "none":
        from cli.servers.auth_server import open_auth  # it takes a while, and is rarely needed
        from cluster.auth.app import create_auth_app

        accounts = service = open_auth(settings, targets)
        configure([*settings.all_secrets, *service.options.secrets])
        mounts["/auth"] = create_auth_app(service.options, service)
    visitors = _visitors(settings, accounts)
    return create_app(settings, targets, Store(settings.database_url), visitors=visitors, mounts=mounts)


def ask_auth_server(settings: Settings) -> AccountsClient:
    """Return what asks the auth server. Raises DppctlError when it is not named."""
    if not settings.auth.url:
        raise DppctlError(
            f"DPPCTL_AUTH_URL: is not set; with DPPCTL_AUTH_MODE={settings.auth.mode} people are known there"
        )
    if settings.auth.service_token_file is None:
        raise DppctlError(
            "DPPCTL_AUTH_SERVICE_TOKEN_FILE: is not set; the server at DPPCTL_AUTH_URL knows others by it"
        )
    return AccountsClient(settings.auth.url, settings.auth.service_token_file)


def _visitors(settings: Settings, accounts: Accounts | None) -> Visitors:
    """Return who knows the visitors of the pages. Raises DppctlError."""
    check_login(settings)
    if accounts is not None:
        return LoginVisitors(accounts, settings.receiver.public_url)
    file = settings.state_dir / "forms.key"
    try:
        key = read_or_make_key(file)
    except OSError as error:
        raise DppctlError(f"{file}: {error.strerror}; the key of the pages' forms is kept there") from None
    return LocalVisitors(key.encode(), settings.receiver.public_url)
