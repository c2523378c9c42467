"""The text of `apps.yaml`: one more app in it, or one less, its comments kept."""

from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bot.model.names import RepoPath
from bot.model.registration import parse_registration
from cli.init.yaml_text import dump, round_trip

_NEW = "# Which apps this bot deploys, and the environments that each may touch.\napps: []\n"


def with_app(text: str | None, where: str, app: RepoPath, ops: RepoPath, environments: Iterable[str]) -> str:
    """Return the file's text with that app registered; the same text when it is. `text`: None for a new file.

    Raises DppctlError for a text that is no registration, or where an environment is another app's.
    """
    targets = parse_registration(text, where) if text else frozenset()
    registered = {target.environment for target in targets if (target.app, target.ops) == (app, ops)}
    missing = [name for name in environments if name not in registered]
    if text and not missing:
        return text
    yaml, document = _load(text or _NEW)
    entries = document["apps"]
    entry = next((each for each in entries if _is(each, app) and RepoPath.parse(each["opsRepoPath"]) == ops), None)
    if entry is None:
        entries.append(CommentedMap(appRepoPath=str(app), opsRepoPath=str(ops), environments=_line(list(environments))))
    else:
        entry["environments"].extend(missing)
    changed = dump(yaml, document)
    parse_registration(changed, where)
    return changed


def without_app(text: str, where: str, app: RepoPath) -> str:
    """Return the file's text without the app. Raises DppctlError for a text that is no registration."""
    parse_registration(text, where)
    yaml, document = _load(text)
    indexes = [index for index, entry in enumerate(document["apps"]) if _is(entry, app)]
    for index in reversed(indexes):
        del document["apps"][index]
    return dump(yaml, document) if indexes else text


def _is(entry: Any, app: RepoPath) -> bool:
    return RepoPath.parse(entry["appRepoPath"]) == app


def _load(text: str) -> tuple[YAML, Any]:
    yaml = round_trip()
    document = yaml.load(text)
    if not document["apps"]:  # written as [] it would stay on one line
        document["apps"] = CommentedSeq()
    return yaml, document


def _line(values: list[str]) -> CommentedSeq:
    """Return a list that is written on one line."""
    sequence = CommentedSeq(values)
    sequence.fa.set_flow_style()
    return sequence
