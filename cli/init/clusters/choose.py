"""Which cluster `dppctl init` without a PROVIDER is about."""

from pathlib import Path

from bot.model.app_config import AppConfig
from cli.errors import InputError
from cli.init.clusters.begun import initializing
from cli.remote.clusters import read_clusters


def begun_cluster(app: AppConfig, name: str | None, folder: Path) -> tuple[str | None, str | None]:
    """Return the provider and the name of the cluster that was begun; (None, name): the app's file says which it is.

    `name`: what --cluster-name says. In a folder of no repository, where there is no app, it is the cluster that
    `dppctl run` uses, also when it is ready. Raises InputError where several were begun, or none of that name.
    """
    if "cluster_provider" in app.model_fields_set:
        return None, name
    clusters = read_clusters()
    known = clusters.initialized
    if name is None:
        name = initializing()
        if name is None and clusters.current in known and not _is_in_repository(folder):
            name = clusters.current
        return (known[name].provider if name else None), name
    if name not in known:
        raise InputError(f"--cluster-name {name}: no cluster of that name was begun; say its PROVIDER too")
    return known[name].provider, name


def _is_in_repository(folder: Path) -> bool:
    top = folder.resolve()
    return any((above / ".git").exists() for above in (top, *top.parents))
