"""The file of values with which `charts/dppctl` is installed: init writes what it knows, and keeps the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from bot.model.names import RepoPath
from cli.errors import InputError
from cli.init.yaml_text import dump, round_trip

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
    """An app, and what the servers that deploy it on a cluster must know."""

    app: RepoPath
    ops: RepoPath
    namespaces: Mapping[str, str]  # by environment
    github: Mapping[str, object]  # the values below `github`
    address: str  # the receiver's, as GitHub reaches it


def chart_values(text: str | None, where: str, installation: Installation) -> str:
    """Return the file's text with this app in it; the same text when it is. Raises InputError for a broken file.

    `text`: None for a new file; `where`: the file's name, for messages.
    """
    yaml = round_trip()
    try:
        document = yaml.load(text or _NEW)
    except YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, dict):
        raise InputError(f"{where}: expected keys and values")
    before = dump(yaml, document)
    document["publicUrl"] = installation.address
    _section(document, "github").update(installation.github)
    _section(_section(document, "sync"), "environments").update(installation.namespaces)
    _register(document, installation.app, installation.ops, list(installation.namespaces))
    after = dump(yaml, document)
    return text if text is not None and after == before else after


def _register(document: Any, app: RepoPath, ops: RepoPath, environments: Sequence[str]) -> None:
    entries = document.setdefault("apps", [])
    for entry in entries:
        if entry.get("appRepoPath") == str(app) and entry.get("opsRepoPath") == str(ops):
            entry["environments"] += [name for name in environments if name not in entry["environments"]]
            return
    entries.append(CommentedMap(appRepoPath=str(app), opsRepoPath=str(ops), environments=list(environments)))


def _section(document: Any, name: str) -> Any:
    if not document.get(name):
        document[name] = CommentedMap()
    return document[name]
