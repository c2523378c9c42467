"""Which clusters this person knows (`clusters.json`), and on which one a command works."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import click

from cli.completions import complete_clusters
from cli.errors import InputError
from cli.home_folder import home_folder

LOCAL = "local"
APP_CONFIG = ".dppctl.yaml"  # bot.model.app_config, which takes long to import, has the same
SERVICE = "dppctl-proxy"  # of the proxy, as charts/dppctl names it
Named = TypeVar("Named")
NAME_PATTERN = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"

CLUSTER_OPTION = click.option(
    "--cluster",
    metavar="NAME",
    shell_complete=complete_clusters,
    help="Where: local, or a cluster that `dppctl login` made known.  [default: what `dppctl use` says]",
)


@dataclass(frozen=True)
class NamedCluster:
    """How its proxy is reached: by its URL or, where that is "", through the API server of a kubeconfig's context."""

    name: str
    url: str = ""
    context: str = ""
    namespace: str = ""
    service: str = ""
    login: str = ""  # who one was at the last login, for people
    publish_to: str = ""  # the cluster that shows to all people what runs here publish; "": this one itself

    def __str__(self) -> str:
        if self.url:
            return self.url
        return f"the Service {self.service} in namespace {self.namespace} of the Kubernetes context {self.context}"


@dataclass(frozen=True)
class InitializedCluster:
    """What `dppctl init` has begun to make, or made: enough to go on, and to remove it. No secrets."""

    provider: str
    settings: Mapping[str, str] = field(default_factory=dict)  # the provider's own, as in `.dppctl.yaml`
    flags: Mapping[str, Any] = field(default_factory=dict)  # of its runs, as JSON
    state: Literal["initializing", "ready"] = "initializing"


@dataclass(frozen=True)
class Clusters:
    """What `clusters.json` says: the clusters by name, the one that `dppctl use` chose, and those that init made."""

    current: str = LOCAL
    by_name: Mapping[str, NamedCluster] = field(default_factory=dict)
    initialized: Mapping[str, InitializedCluster] = field(default_factory=dict)


def read_clusters() -> Clusters:
    """Return what is known; nothing without the file. Raises InputError for a file that cannot be used."""
    file = _file()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        by_name = {name: NamedCluster(name=name, **about) for name, about in found["clusters"].items()}
        initialized = {name: InitializedCluster(**about) for name, about in found.get("initialized", {}).items()}
        return Clusters(str(found["current"]), by_name, initialized)
    except FileNotFoundError:
        return Clusters()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} cannot be read ({error!r}); mend it, or remove it and log in again") from None


def add_cluster(cluster: NamedCluster) -> None:
    """Make a cluster known, or change how it is reached. Raises InputError for a name that is none."""
    check_name(cluster.name)
    known = read_clusters()
    _write(replace(known, by_name={**known.by_name, cluster.name: cluster}))


def remove_cluster(name: str) -> None:
    """Forget a cluster; the local one is used instead if it was the chosen one."""
    known = read_clusters()
    current = LOCAL if known.current == name else known.current
    _write(replace(known, current=current, by_name=_without(known.by_name, name)))


def use_cluster(name: str) -> None:
    """Choose the cluster of all commands that name none. Raises InputError for one that is not known."""
    if name != LOCAL:
        find_cluster(name)
    _write(replace(read_clusters(), current=name))


def keep_initialized(name: str, cluster: InitializedCluster) -> None:
    """Write down how far a cluster is that `dppctl init` makes. Raises InputError for a name that is none."""
    check_name(name)
    known = read_clusters()
    _write(replace(known, initialized={**known.initialized, name: cluster}))


def forget_initialized(name: str) -> None:
    """Forget what `dppctl init` made under this name."""
    known = read_clusters()
    _write(replace(known, initialized=_without(known.initialized, name)))


def check_name(name: str) -> None:
    """Raise InputError for what cannot be a cluster's name."""
    if name == LOCAL:
        raise InputError("local is this machine; choose another name for a cluster")
    if not re.fullmatch(NAME_PATTERN, name):
        raise InputError(f"{name!r} is no name of a cluster: small letters, digits and -, at most 63 characters")


def check_url(url: str) -> str:
    """Return a proxy's URL without a slash at its end. Raises InputError for one that cannot be."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"--url is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError("--url must be like https://dppctl.example.org")
    if parts.username or parts.password:
        raise InputError("--url must hold no password: the token is asked for")
    return url.rstrip("/")


def find_cluster(name: str, source: str = "") -> NamedCluster:
    """Return the cluster of this name. Raises InputError; `source`: which file names it."""
    clusters = read_clusters()
    from bot.near_names import name_hint

    known, begun = clusters.by_name, clusters.initialized.get(name)
    if name in known:
        return known[name]
    if begun and begun.state == "initializing":
        raise InputError(f"the cluster {name} is not ready yet; `dppctl init` goes on with it")
    which = f"{source} names the cluster {name}, which is not known here" if source else f"there is no cluster {name}"
    raise InputError(f"{which}; {name_hint(name, [LOCAL, *known])}; `dppctl login {name} --url URL` makes it known")


def choose_cluster(named: str | None, folder: Path) -> NamedCluster | None:
    """Return the cluster to work on, None for this machine: as --cluster says, the app's config, or `dppctl use`.

    `named`: what --cluster says; `folder`: of the app. Raises InputError for a cluster that is not known.
    """
    source = ""
    if named is None and (named := cluster_of_app(folder)):
        source = str(folder / APP_CONFIG)
    name = named or read_clusters().current
    return None if name == LOCAL else find_cluster(name, source)


def cluster_of_app(folder: Path) -> str | None:
    """Return the `cluster:` of the app's config, or None.

    Raises InputError for a config that cannot be read, DppctlError for one with mistakes.
    """
    file = folder / APP_CONFIG
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not UTF-8; save the file in that encoding, or say --cluster NAME") from None
    except OSError as error:
        said = error.strerror
        raise InputError(f"{file} cannot be read, and may name a cluster: {said}; say --cluster NAME") from None
    if not re.search(r"^[{ ]*['\"]?cluster['\"]?\s*:", text, re.MULTILINE):  # to read all of it takes long
        return None
    from bot.model.app_config import parse_app_config

    return parse_app_config(text, str(file)).cluster


def _without(named: Mapping[str, Named], name: str) -> dict[str, Named]:
    return {other: cluster for other, cluster in named.items() if other != name}


def _file() -> Path:
    return home_folder() / "clusters.json"


def _write(clusters: Clusters) -> None:
    file = _file()
    about: dict[str, Any] = {
        name: {key: value for key, value in asdict(cluster).items() if value and key != "name"}
        for name, cluster in clusters.by_name.items()
    }
    content: dict[str, Any] = {"current": clusters.current, "clusters": about}
    if clusters.initialized:
        content["initialized"] = {name: asdict(cluster) for name, cluster in clusters.initialized.items()}
    part = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(part, file)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
