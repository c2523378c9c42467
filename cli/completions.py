"""What a shell completes: pipelines, apps, environments, pods. Whatever is wrong, nothing is completed or said."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.model.registration import Target

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _quietly(find: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Return a function as click asks for: https://click.palletsprojects.com/en/stable/shell-completion/."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        try:
            return sorted({name for name in find(context) if name.startswith(begun)})
        except Exception:  # noqa: BLE001 (a message would stand in the middle of what is being typed)
            return []

    return complete


def _pipelines(context: click.Context) -> Iterable[str]:
    from bot.model.pipeline_specs import IGNORE_FILE, SPEC_FILE, parse_specs

    folder = Path(context.params.get("workload") or ".")
    files = [file for file in folder.rglob(SPEC_FILE) if not file.is_symlink()]
    ignored = folder / IGNORE_FILE
    contents = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    if ignored.is_file():
        contents[IGNORE_FILE] = ignored.read_bytes()
    return [pipeline.id for pipeline in parse_specs(contents).pipelines]


def _apps(context: click.Context) -> Iterable[str]:
    return [str(target.app) for target in _targets(context)]


def _environments(context: click.Context) -> Iterable[str]:
    app = context.params.get("app")
    return [target.environment for target in _targets(context) if app in (None, str(target.app))]


def _targets(context: click.Context) -> "Iterable[Target]":
    from cli.config_option import servers_folder
    from cli.environment_rows import registered

    return registered(context.params.get("config") or servers_folder())


def _pods(_context: click.Context) -> Iterable[str]:
    """Return the pods of this machine; those of a cluster would take a call over the network for each key."""
    from cluster.local.sessions.record import all_sessions

    return [session.name for session in all_sessions()]


def _clusters(_context: click.Context) -> Iterable[str]:
    from cli.remote import clusters

    return [clusters.LOCAL, *clusters.read_clusters().by_name]


complete_pipelines = _quietly(_pipelines)
complete_apps = _quietly(_apps)
complete_environments = _quietly(_environments)
complete_pods = _quietly(_pods)
complete_clusters = _quietly(_clusters)
