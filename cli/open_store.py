"""The store of a `dppctl up`, for the commands that look into it or ask it for something."""

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bot.model.names import short
from bot.settings import load_settings
from bot.store.store import Store
from bot.store.tables import Deployment
from cli.config_option import check_servers_folder
from cli.errors import InputError
from cli.limits import STORE_POLL_SECONDS


@contextmanager
def open_store(config: Path) -> Iterator[Store]:
    """Open the store of the servers that use this folder. Raises DppctlError or InputError when there is none."""
    settings = load_settings(config, receives=False)
    if not settings.given_database_url.get_secret_value() and not settings.state_dir.is_dir():
        check_servers_folder(config)
        raise InputError(f"{settings.state_dir}: not there; has `dppctl up` run with this --config?")
    try:
        store = Store(settings.database_url)
    except SQLAlchemyError as error:
        raise InputError(f"the store does not open: {str(error).partition(chr(10))[0]}") from None
    try:
        yield store
    finally:
        store.close()


def local_user() -> str:
    """Return who asks, where there is no login: the machine's user."""
    return f"local:{getpass.getuser()}"


def find(store: Store, identity: int) -> Deployment:
    """Return the deployment of this id. Raises InputError when there is no such deployment."""
    found = store.deployments.get(identity)
    if found is None:
        raise InputError(f"there is no deployment {identity}; `dppctl list deployments` lists them")
    return found


def describe(deployment: Deployment) -> str:
    """Return which deployment it is, for people: `Deployment 12: ann/data master 1a2b3c4d5e to staging`."""
    what = f"{deployment.app} {short(deployment.ref)} {deployment.commit[:10]}"
    return f"Deployment {deployment.id}: {what} to {deployment.environment}"


def watch(store: Store, identity: int) -> Iterator[Deployment]:
    """Yield the deployment whenever something about it may have changed, the last time when it has ended."""
    seen = -1
    while True:
        now = store.totals.change_number()
        if now != seen:
            seen = now
            found = find(store, identity)
            yield found
            if found.ended:
                return
        time.sleep(STORE_POLL_SECONDS)


def unseen(seen: str, now: str) -> str:
    """Return what a log says beyond what was seen of it. Its oldest part may be gone meanwhile."""
    if now.startswith(seen):
        return now[len(seen) :]
    tail = seen[-1000:]
    return now.rpartition(tail)[2] if tail in now else now
