"""The text of an app's `.dppctl.yaml`: a new one that explains itself, or an existing one with little changed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bot.model.app_config import AppConfig, parse_app_config
from bot.model.names import RepoPath
from cli.init.yaml_text import dump, round_trip


@dataclass(frozen=True)
class WantedConfig:
    """What the file shall say."""

    provider: str | None  # None: what it says already, or local
    settings: dict[str, str]  # the provider's own, such as kubeconfigContext
    app: RepoPath
    ops: RepoPath
    branch: str
    staging: str = "staging"
    production: str = "production"


def new_file(wish: WantedConfig, specs: Sequence[str], has_dockerfile: bool) -> str:
    """Return the text of a new file, each line explained. `specs`: the files that have pipelines."""
    pipelines = f"all that are in {', '.join(specs[:3])}{' …' if len(specs) > 3 else ''}" if specs else "all"
    image = (
        "# The Dockerfile beside this file makes the app's own image (docs/images.md).\n"
        if has_dockerfile
        else "# A Dockerfile beside this file would give the app an image of its own (docs/images.md).\n"
    )
    lines: list[tuple[str, str]] = [
        (f"clusterProvider: {wish.provider or 'local'}", "which cluster runs the pipelines")
    ]
    lines += [(f"{key}: {_scalar(value)}", "") for key, value in wish.settings.items()]
    lines += [
        ("continuousDeployment:", ""),
        (f"- appRepoPath: {wish.app}", "this app: its repository, and its folder there"),
        (f"  opsRepoPath: {wish.ops}", "where what each environment runs is committed"),
        ("  actions:", ""),
        (f"  - branch: {_scalar(wish.branch)}", "a push to this branch …"),
        (f"    environment: {wish.staging}", "… deploys to this environment"),
        ("    pipeline: all", f"{pipelines}; or an id (./name), or a list of ids"),
        ("  - tags: true", 'any tag; or a pattern: "v*"'),
        (f"    environment: {wish.production}", "… deploys to this one"),
        ("    pipeline: all", ""),
    ]
    width = max(len(line) for line, _ in lines)
    body = "".join(f"{line.ljust(width)}  # {why}\n" if why else f"{line}\n" for line, why in lines)
    return f"# Which push deploys these pipelines where. Reference: docs/dppctl-yaml.md of dppctl.\n{image}\n{body}"


def edited_file(text: str, where: str, wish: WantedConfig) -> str:
    """Return the text with what it lacks, comments and the rest kept; the same text when it lacks nothing.

    An app that has actions already keeps them. Raises DppctlError for a text that is no such file.
    """
    config = parse_app_config(text, where)
    yaml = round_trip()
    yaml.indent(mapping=2, sequence=_sequence_indent(text), offset=_sequence_indent(text) - 2)
    document = yaml.load(text)
    changed = _set_provider(document, config, wish)
    if not list(config.actions(wish.app)):
        _add_deployment(document, wish)
        changed = True
    if not changed:
        return text
    return dump(yaml, document)


def difference(before: str, after: str, name: str) -> str:
    """Return what changes, as `diff -u` shows it; empty when nothing does."""
    return "".join(
        difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (new)")
    )


def _set_provider(document: Any, config: AppConfig, wish: WantedConfig) -> bool:
    if wish.provider is None:
        return False
    gone = [key for key in config.provider_settings if wish.provider != config.cluster_provider]
    wanted = {"clusterProvider": wish.provider, **wish.settings}
    changed = bool(gone)
    for key in gone:
        del document[key]
    for position, (key, value) in enumerate(wanted.items()):
        if document.get(key) == value or (key == "clusterProvider" and config.cluster_provider == value):
            continue
        changed = True
        if key in document:
            document[key] = value
        else:
            document.insert(position, key, value)
    return changed


def _add_deployment(document: Any, wish: WantedConfig) -> None:
    actions = CommentedSeq(
        [
            CommentedMap(branch=wish.branch, environment=wish.staging, pipeline="all"),
            CommentedMap(tags=True, environment=wish.production, pipeline="all"),
        ]
    )
    entry = CommentedMap(appRepoPath=str(wish.app), opsRepoPath=str(wish.ops), actions=actions)
    if document.get("continuousDeployment"):
        document["continuousDeployment"].append(entry)
    else:
        document["continuousDeployment"] = CommentedSeq([entry])


def _sequence_indent(text: str) -> int:
    """Return how far the file indents its lists: `- a` below its key, or `  - a`."""
    for line, following in zip(text.splitlines(), text.splitlines()[1:], strict=False):
        if line.rstrip().endswith(":") and following.lstrip().startswith("- "):
            return 2 + (len(following) - len(following.lstrip())) - (len(line) - len(line.lstrip()))
    return 2


def _scalar(value: str) -> str:
    """Return a text as YAML has it on one line."""
    return dump(YAML(), {"value": value}).removeprefix("value: ").strip()
