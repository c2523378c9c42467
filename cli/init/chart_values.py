"""The values with which `charts/dppctl` is installed: what init knows, and what people add to it stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from bot.model.names import RepoPath
from cli.errors import InputError

VALUES_FILE = "dppctl-values.yaml"
_NEW = """\
# Values of charts/dppctl; its README has them all. dppctl init writes apps, github, publicUrl and sync.environments.
image:
  repository: ghcr.io/orihoch/dppctl   # or yours: the Dockerfile of dppctl makes it
registry:
  url: ""   # HOST/PREFIX for the apps' images; apps on Kubernetes need one
"""


@dataclass(frozen=True)
class Installation:
    """What is in those values."""

    app: RepoPath
    ops: RepoPath
    namespaces: Mapping[str, str]  # by environment
    github: Mapping[str, object]  # what belongs into that section
    address: str


def chart_values(text: str | None, where: str, wanted: Installation) -> str:
    """The file's text with this app in it; the same text when it is. Raises InputError for one that is no mapping."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    try:
        document = yaml.load(text or _NEW)
    except YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, dict):
        raise InputError(f"{where}: expected keys and values")
    before = _dump(yaml, document)
    document["publicUrl"] = wanted.address
    _section(document, "github").update(wanted.github)
    _section(_section(document, "sync"), "environments").update(wanted.namespaces)
    _register(document, wanted.app, wanted.ops, list(wanted.namespaces))
    after = _dump(yaml, document)
    return text if text is not None and after == before else after


def _register(document: Any, app: RepoPath, ops: RepoPath, environments: Sequence[str]) -> None:
    entries = document.setdefault("apps", [])
    for entry in entries:
        if entry.get("appRepoPath") == str(app) and entry.get("opsRepoPath") == str(ops):
            entry["environments"] += [one for one in environments if one not in entry["environments"]]
            return
    entries.append(CommentedMap(appRepoPath=str(app), opsRepoPath=str(ops), environments=list(environments)))


def _section(document: Any, name: str) -> Any:
    if not document.get(name):
        document[name] = CommentedMap()
    return document[name]


def _dump(yaml: YAML, document: Any) -> str:
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()
