"""Where the pages of this folder's servers are, as their settings say."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from bot.page_hosts import local_http_url
from bot.settings import Settings, load_settings


def pages_url(settings: Settings) -> str:
    """Return where people reach the pages, without a slash at the end: the public URL, or the one on this machine."""
    return (settings.receiver.public_url or local_url(settings)).rstrip("/")


def local_url(settings: Settings) -> str:
    """Return where the receiver listens, as this machine reaches it, without a slash at the end."""
    return local_http_url(settings.listen.host, settings.listen.port)


def environment_url(settings: Settings, app: str, environment: str) -> str:
    """Return the page of an environment."""
    return f"{pages_url(settings)}/apps/{quote(app)}/{quote(environment)}"


def deployment_url(settings: Settings, identity: int) -> str:
    """Return the page of a deployment."""
    return f"{pages_url(settings)}/deployments/{identity}"


def deployment_pages(config: Path) -> Callable[[int], str]:
    """Return what gives the page of a deployment of the servers of a folder. Raises DppctlError for their settings."""
    return partial(deployment_url, load_settings(config, receives=False))


def storage_url(settings: Settings, slug: str, environment: str) -> str:
    """Return what an environment publishes; `slug`: of its app (RepoPath.slug)."""
    base = settings.storage.url or local_http_url(settings.storage.host, settings.storage_port)
    return f"{base.rstrip('/')}/{quote(slug, safe='+')}/{quote(environment)}/"
