"""The text of `apps.yaml`: one more app in it, or one less, its comments kept."""

from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bot.model.names import RepoPath
from bot.model.registration import parse_registration

_NEW = "# Which apps this bot deploys, and the environments that each may touch.\napps: []\n"


def with_app(text: str | None, where: str, app: RepoPath, ops: RepoPath, environments: Iterable[str]) -> str:
    """The file's text with that app registered; the same text when it is. None: there is no file yet.

    Raises DppctlError for a text that is no registration, or where an environment is another app's.
    """
    targets = parse_registration(text, where) if text else frozenset()
    there = {target.environment for target in targets if (target.app, target.ops) == (app, ops)}
    missing = [one for one in environments if one not in there]
    if text and not missing:
        return text
    yaml, document = _load(text or _NEW)
    entries = document["apps"]
    mine = next((one for one in entries if _is(one, app) and RepoPath.parse(one["opsRepoPath"]) == ops), None)
    if mine is None:
        entries.append(CommentedMap(appRepoPath=str(app), opsRepoPath=str(ops), environments=_line(list(environments))))
    else:
        mine["environments"].extend(missing)
    changed = _dump(yaml, document)
    parse_registration(changed, where)
    return changed


def without_app(text: str, where: str, app: RepoPath) -> str:
    """The file's text without the app. Raises DppctlError for a text that is no registration."""
    parse_registration(text, where)
    yaml, document = _load(text)
    mine = [index for index, one in enumerate(document["apps"]) if _is(one, app)]
    for index in reversed(mine):
        del document["apps"][index]
    return _dump(yaml, document) if mine else text


def _is(entry: Any, app: RepoPath) -> bool:
    return RepoPath.parse(entry["appRepoPath"]) == app


def _load(text: str) -> tuple[YAML, Any]:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    document = yaml.load(text)
    if not document["apps"]:  # written as [] it would stay on one line
        document["apps"] = CommentedSeq()
    return yaml, document


def _dump(yaml: YAML, document: Any) -> str:
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _line(values: list[str]) -> CommentedSeq:
    found = CommentedSeq(values)
    found.fa.set_flow_style()
    return found
