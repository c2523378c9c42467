"""What `dppctl init` writes down of a cluster that it makes (`clusters.json`), and how it comes back to it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from cli.errors import InputError
from cli.init.runs.flags import AuthFlags, RunsFlags
from cli.remote.clusters import InitializedCluster, keep_initialized, read_clusters

Flags = TypeVar("Flags", RunsFlags, AuthFlags)


def initializing() -> str | None:
    """Return the name of the cluster that was begun and is not ready; None: there is none.

    Raises InputError where there are several, for then somebody has to say which.
    """
    begun = [name for name, cluster in read_clusters().initialized.items() if cluster.state == "initializing"]
    if len(begun) > 1:
        raise InputError(f"several clusters are being initialized ({', '.join(begun)}); say which: --cluster-name NAME")
    return begun[0] if begun else None


def flags_of(cluster: InitializedCluster | None, runs: RunsFlags, auth: AuthFlags) -> tuple[RunsFlags, AuthFlags]:
    """Return the flags that were given now, and for the others those with which it was begun."""
    kept = cluster.flags if cluster else {}
    return _with_kept(runs, kept), _with_kept(auth, kept)


def keep(name: str, kind: str, settings: Mapping[str, str], runs: RunsFlags, auth: AuthFlags, *, ready: bool) -> None:
    """Write down how far a cluster is, and with which flags. Raises InputError."""
    flags = {**_as_json(runs), **_as_json(auth)}
    keep_initialized(name, InitializedCluster(kind, settings, flags, "ready" if ready else "initializing"))


def _with_kept(flags: Flags, kept: Mapping[str, Any]) -> Flags:
    missing = {each.name: kept[each.name] for each in fields(flags) if each.name in kept}
    return replace(flags, **{name: _from_json(value, name) for name, value in missing.items() if _is_open(flags, name)})


def _is_open(flags: RunsFlags | AuthFlags, name: str) -> bool:
    return getattr(flags, name) in (None, (), "")


def _as_json(flags: RunsFlags | AuthFlags) -> dict[str, Any]:
    given = {each.name: getattr(flags, each.name) for each in fields(flags) if not _is_open(flags, each.name)}
    return {name: str(value.absolute()) if isinstance(value, Path) else value for name, value in given.items()}


def _from_json(value: Any, name: str) -> Any:
    if name == "values" or name.endswith("_file"):
        return Path(value)
    return tuple(value) if isinstance(value, list) else value
