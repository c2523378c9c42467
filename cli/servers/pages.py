"""The pages, put together from the settings with what they go by: who people are, who may act.

The receiver alone asks the auth server and the usage server over HTTP; in `dppctl up` both are within the same
processes, at `/auth` and `/usage`. What is imported late takes a while, and the receiver alone needs none of it.
"""

import os
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from bot.accounts import Accounts, AccountsClient
from bot.errors import DppctlError
from bot.logs import configure
from bot.model.registration import Target
from bot.settings import Settings
from bot.store.store import Store
from bot.usage_client import UsageSender
from bot.usage_events import EventSpool, UsageEvent
from cli.private_files import read_or_make_key
from cli.servers.lifecycle import read_secret
from cluster.sync.helm.desired import release_name
from webhooks.acting import Record
from webhooks.app import create_app
from webhooks.visitors import LocalVisitors, LoginVisitors, Visitors, has_public_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ENVIRONMENTS = "environments"  # in the state folder: what `dppctl up` runs here
EVENTS = "events"  # in the state folder: what people did, until the log has it


def check_receiver(settings: Settings) -> None:
    """Raise DppctlError when a setting of `dppctl receive` is missing."""
    check_login(settings)
    tell_usage_server(settings)
    if settings.auth.mode != "none":
        ask_auth_server(settings)


def check_login(settings: Settings) -> None:
    """Raise DppctlError when the settings of the login do not fit together."""
    if settings.receiver.pages == "login" and settings.auth.mode == "none":
        raise DppctlError("DPPCTL_PAGES: is login, but there is none; set DPPCTL_AUTH_MODE to token or oauth")


def prepare_all_in_one(settings: Settings, targets: Set[Target]) -> None:
    """Make the keys and databases of what `dppctl up` has beside the pages, before its processes start.

    Raises DppctlError for what is wrong.
    """
    from cli.servers.usage_server import open_usage

    check_login(settings)
    usage = open_usage(settings)
    usage.events.forget_old()
    usage.close()
    if settings.auth.mode != "none":
        from cli.servers.auth_server import open_auth

        open_auth(settings, targets).close()


def make_receiver(settings: Settings, targets: Set[Target], *, shortcut: bool = True) -> Flask:
    """Return what `dppctl receive` serves. Raises DppctlError. `shortcut`: as create_app."""
    accounts = None if settings.auth.mode == "none" else ask_auth_server(settings)
    visitors, store = _visitors(settings, accounts), Store(settings.database_url)
    record: Record = _leave_to_the_log
    sender = tell_usage_server(settings)
    if sender:
        record = EventSpool(settings.state_dir / EVENTS, sender.send).record
    return create_app(
        settings,
        targets,
        store,
        shortcut=shortcut,
        visitors=visitors,
        record=record,
        has_usage=bool(sender),
        release_of=release_name if settings.deployed_by == "sync" else None,
    )


def _leave_to_the_log(_: UsageEvent) -> None:
    """Record nothing where there is no usage server: the process logs acts itself."""


def make_all_in_one(settings: Settings, targets: Set[Target]) -> Flask:
    """Return what `dppctl up` serves: the receiver, `/usage`, and a login at `/auth`. Raises DppctlError."""
    from cli.servers.local_data import local_data
    from cli.servers.usage_server import open_usage
    from cluster.usage.app import UsageOptions, create_usage_app

    mounts: dict[str, WSGIApplication] = {}
    accounts: Accounts | None = None
    if settings.auth.mode != "none":
        from cli.servers.auth_server import open_auth
        from cluster.auth.app import create_auth_app

        accounts = service = open_auth(settings, targets)
        configure([*settings.all_secrets, *service.options.secrets])
        mounts["/auth"] = create_auth_app(service.options, service)
    usage = open_usage(settings)
    visitors = _visitors(settings, accounts)
    if accounts or not has_public_host(settings.receiver.public_url):  # else anybody may look like this machine
        options = UsageOptions(_usage_token(settings), settings.auth.mode)
        mounts["/usage"] = create_usage_app(options, usage, accounts)
    record = EventSpool(settings.state_dir / EVENTS, usage.events.record).record
    store = Store(settings.database_url)
    return create_app(
        settings,
        targets,
        store,
        visitors=visitors,
        record=record,
        mounts=mounts,
        has_usage="/usage" in mounts,
        local_data=local_data(settings.state_dir / ENVIRONMENTS, os.environ),
    )


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


def tell_usage_server(settings: Settings) -> UsageSender | None:
    """Return what tells the usage server what people did; None: there is none. Raises DppctlError."""
    if not settings.usage.url:
        return None
    if settings.usage.token_file is None:
        raise DppctlError("DPPCTL_USAGE_TOKEN_FILE: is not set; the usage server knows others by what is in it")
    return UsageSender(settings.usage.url, settings.usage.token_file)


def _visitors(settings: Settings, accounts: Accounts | None) -> Visitors:
    """Return who knows the visitors of the pages. Raises DppctlError."""
    check_login(settings)
    if accounts is not None:
        return LoginVisitors(accounts, settings.receiver.public_url)
    key = _key(settings.state_dir / "forms.key")
    return LocalVisitors(key.encode(), settings.receiver.public_url)


def _usage_token(settings: Settings) -> str:
    """Return what other servers show at `/usage`: the setting's, or one that nobody has. Raises DppctlError."""
    if settings.usage.token_file:
        return read_secret("DPPCTL_USAGE_TOKEN_FILE", settings.usage.token_file).decode(errors="replace").strip()
    return _key(settings.state_dir / "usage.token")


def _key(file: Path) -> str:
    try:
        return read_or_make_key(file)
    except OSError as error:
        raise DppctlError(f"{file}: {error.strerror}; a key of the pages is kept there") from None
