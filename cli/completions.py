"""What a shell completes: pipelines, apps, environments, pods. Whatever is wrong, nothing is completed or said.

A shell asks with each key. So files are read as plain YAML: to check them, and the models for that, would take longer
than all else; and nothing is cleared away.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from bot.model.file_names import CONFIG_FILE, IGNORE_FILE, REGISTRATION_FILE, SPEC_FILE

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
_HERE = "./"  # before an id, which may be left out


def _quietly(find: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Return a function as click asks for: https://click.palletsprojects.com/en/stable/shell-completion/."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        try:
            names = set(find(context))
        except Exception:  # noqa: BLE001 (a message would stand in the middle of what is being typed)
            return []
        found = {name for name in names if name.startswith(begun)}
        return sorted(found or {bare for name in names if (bare := name.removeprefix(_HERE)).startswith(begun)})

    return complete


def _pipelines(context: click.Context) -> Iterator[str]:
    from bot.errors import DppctlError
    from bot.model.spec_files import ignored_by, is_hidden

    top = Path(context.params.get("workload") or ".")
    ignore = top / IGNORE_FILE
    is_ignored = ignored_by(ignore.read_bytes()) if ignore.is_file() else is_hidden
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        spec = Path(folder, SPEC_FILE)
        path = spec.relative_to(top)
        if SPEC_FILE in files and not spec.is_symlink() and not is_ignored(path.as_posix()):
            with suppress(DppctlError):  # the others can be completed
                yield from (f"{_HERE}{path.parent / str(name)}" for name in _yaml(spec) or ())


def _apps(context: click.Context) -> Iterator[str]:
    return (app for app, _ in _registered(context))


def _environments(context: click.Context) -> Iterator[str]:
    app = context.params.get("app")
    return (environment for found, environment in _registered(context) if app in (None, found))


def _registered(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the apps that apps.yaml has, each with each of its environments; not with patterns of those."""
    from cli.config_option import servers_folder

    for entry in _yaml(Path(context.params.get("config") or servers_folder()) / REGISTRATION_FILE)["apps"]:
        yield from ((entry["appRepoPath"], name) for name in entry["environments"] if "*" not in name)


def _app_or_environment(context: click.Context) -> Iterator[str]:
    """Yield apps for the first word, and the app's environments for the second."""
    words = context.params.get("what") or ()
    return (environment if words else app for app, environment in _registered(context) if not words or app == words[0])


def _own_environments(context: click.Context) -> Iterator[str]:
    """Yield the environments that the app in the workload's folder has in its own file."""
    config = _yaml(Path(context.params.get("workload") or ".") / CONFIG_FILE)
    for entry in config["continuousDeployment"]:
        yield from (action["environment"] for action in entry["actions"] if "environment" in action)


def _yaml(file: Path) -> Any:
    from bot.model.safe_yaml import read_yaml

    return read_yaml(file.read_bytes(), str(file))[0]


def _pods(_context: click.Context) -> Iterable[str]:
    """Return the pods of this machine; those of a cluster would take a call over the network for each key."""
    from cluster.local.sessions.record import living_names

    return living_names()


def _clusters(_context: click.Context) -> Iterable[str]:
    from cli.remote import clusters

    return [clusters.LOCAL, *clusters.read_clusters().by_name]


def _providers(_context: click.Context) -> Iterable[str]:
    from cli.providers import PROVIDERS

    return PROVIDERS


complete_pipelines = _quietly(_pipelines)
complete_apps = _quietly(_apps)
complete_environments = _quietly(_environments)
complete_app_or_environment = _quietly(_app_or_environment)
complete_own_environments = _quietly(_own_environments)
complete_pods = _quietly(_pods)
complete_clusters = _quietly(_clusters)
complete_providers = _quietly(_providers)
