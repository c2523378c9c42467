"""Which cluster `dppctl init` without a PROVIDER is about."""

from bot.model.app_config import AppConfig
from cli.errors import InputError
from cli.init.clusters.begun import initializing
from cli.remote.clusters import read_clusters


def begun_cluster(app: AppConfig, name: str | None) -> tuple[str | None, str | None]:
    """Return the provider and the name of the cluster that was begun; (None, name): the app's file says which it is.

    `name`: what --cluster-name says. Raises InputError where several were begun, or none of that name.
    """
    if "cluster_provider" in app.model_fields_set:
        return None, name
    known = read_clusters().initialized
    if name is None:
        name = initializing()
        return (known[name].provider if name else None), name
    if name not in known:
        raise InputError(f"--cluster-name {name}: no cluster of that name was begun; say its PROVIDER too")
    return known[name].provider, name
