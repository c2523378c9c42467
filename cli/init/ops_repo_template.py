"""A new ops repo: the chart, and a folder and optional manifests for each environment (DESIGN: Data formats).

`ops_repo_template/` holds the files with words in capitals for what differs; the chart is copied beside them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

_PER_ENVIRONMENT = "ENVIRONMENT"
_HERE = PurePosixPath()
_LEFT_OUT = ("__init__.py", "__pycache__", "chart")
_WORDS = re.compile(r"\b(ENVIRONMENTS|ENVIRONMENT|NAMESPACE|RELEASE|REPOSITORY_URL|BRANCH)\b|\bFOLDER/")


@dataclass(frozen=True)
class OpsEnvironment:
    """An environment, and where it is deployed."""

    name: str
    namespace: str
    release: str  # Helm's name for it


def write_ops_repo(
    folder: Path, environments: Sequence[OpsEnvironment], *, url: str, path: str = "", branch: str = "main"
) -> list[Path]:
    """Write the files of an ops repo that are missing below this folder; return their paths.

    folder: a checkout of the repository, or the folder in it that `path` names; url: where it is cloned from;
    path: the folder below the repository's root. Existing files stay as they are: people own them. Raises OSError.
    """
    written = []
    for name, content in _contents(environments, {"REPOSITORY_URL": url, "BRANCH": branch, "FOLDER": path.strip("/")}):
        target = folder / name
        if target.exists() or target.is_symlink():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        written.append(target)
    return written


def _contents(environments: Sequence[OpsEnvironment], words: dict[str, str]) -> Iterator[tuple[PurePosixPath, str]]:
    table = ["| environment | namespace | release |", "|---|---|---|"]
    table += [f"| `{each.name}` | `{each.namespace}` | `{each.release}` |" for each in environments]
    for name, text in _tree(files("charts") / "dppctl-pipelines"):
        yield "chart" / name, text
    template = dict(_tree(files("ops_repo_template")))
    for name, text in template.items():
        if name.parts[0] == "environments":
            continue
        if _PER_ENVIRONMENT not in str(name):
            yield name, _filled(text, {**words, "ENVIRONMENTS": "\n".join(table)})
            continue
        for environment in environments:
            own = {"ENVIRONMENT": environment.name, "NAMESPACE": environment.namespace, "RELEASE": environment.release}
            yield PurePosixPath(str(name).replace(_PER_ENVIRONMENT, environment.name)), _filled(text, {**words, **own})
    for environment in environments:
        name = PurePosixPath("environments", environment.name, "values.yaml")
        staging = template[PurePosixPath("environments", "staging", "values.yaml")]
        yield name, template.get(name) or re.sub(r"\bstaging\b", environment.name, staging, flags=re.IGNORECASE)


def _tree(folder: Traversable, at: PurePosixPath = _HERE) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir():
            yield from _tree(entry, at / entry.name)
        else:
            yield at / entry.name, entry.read_text(encoding="utf8")


def _filled(text: str, words: dict[str, str]) -> str:
    """Replace the words that have a value. FOLDER/ is nothing at the repository's root."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "FOLDER/":
            return f"{words['FOLDER']}/" if words["FOLDER"] else ""
        return words.get(found[0], found[0])

    return _WORDS.sub(value, text)
