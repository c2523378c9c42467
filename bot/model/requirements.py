"""requirements.txt of an app: which files and folders it refers to, also by way of others.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/), as uv, which installs it, reads
it: paths of `-r`, `-c` and `--find-links` begin at the file that names them, those of packages at the workload.
All of them have to lie in the workload, for only that is deployed, and looked at when the question is what changed.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from bot.errors import PermanentError

REQUIREMENTS = "requirements.txt"

# requirements: a file of further lines; project: a folder to be built; editable: one that is used in its place;
# archive: a wheel or a source archive; packages: a folder of such, or an index.
Kind = Literal["requirements", "project", "editable", "archive", "packages"]

_FILES: dict[str, Kind] = {"-r": "requirements", "--requirement": "requirements", "-c": "requirements"}
_FILES |= {"--constraint": "requirements", "-f": "packages", "--find-links": "packages", "-i": "packages"}
_FILES |= {"--index-url": "packages", "--extra-index-url": "packages"}
_OPTION = re.compile(r"(--[a-z-]+(?=[\s=])|-[rcefi])\s*=?\s*(.*)")
_VARIABLE = re.compile(r"\$\{(?!DPPCTL_)([A-Z0-9_]+)\}")  # uv gets none of ours
_COMMENT = re.compile(r"(^|\s+)#.*$")
_NAMED = re.compile(
    r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\s*(\[[^\]]*\])?\s*(?P<rest>([@<>=!~;(].*)?)", re.IGNORECASE | re.ASCII
)
_ARCHIVE = re.compile(r".+\.(whl|zip|tgz|tar|tar\.(gz|bz2|xz|lzma|zst))", re.IGNORECASE)
_SOURCES = (("uv", "sources"), ("poetry", "dependencies"), ("poetry", "group"))  # below `tool`
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True)
class RequirementPath:
    """A file or folder of the workload that its requirements refer to."""

    kind: Kind
    path: Path  # resolved
    where: str  # "more.txt:3"


def references(workload: Path) -> list[RequirementPath]:
    """Return what the requirements.txt of a workload refers to, the order kept; nothing when it has none.

    Raises PermanentError, with file and line, for what does not exist or leads out of the workload, or is no text.
    """
    file = workload / REQUIREMENTS
    if not file.is_file():
        return []
    found: dict[tuple[Kind, Path], RequirementPath] = {}
    root = workload.resolve()
    waiting = [RequirementPath("requirements", _inside(root, file, REQUIREMENTS, REQUIREMENTS), REQUIREMENTS)]
    while waiting:
        reference = waiting.pop(0)
        if (reference.kind, reference.path) not in found:
            found[reference.kind, reference.path] = reference
            if reference.kind == "requirements":
                waiting += _of_requirements(reference, root)
            elif reference.kind in ("project", "editable"):
                waiting += _of_project(reference, root)
    return list(found.values())[1:]


def _of_requirements(reference: RequirementPath, root: Path) -> Iterator[RequirementPath]:
    try:
        text = reference.path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PermanentError(f"{reference.where}: {reference.path.name} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise PermanentError(f"{reference.where}: {reference.path.name}: {error.strerror or error}") from None
    for number, line in _lines(text):
        where = f"{reference.path.relative_to(root)}:{number}"
        option = _OPTION.fullmatch(line)
        if option and (kind := _FILES.get(option[1])):
            yield from _reference(kind, root, reference.path.parent, option[2], where)
        elif option and option[1] in ("-e", "--editable"):
            yield from _reference("editable", root, root, _bare(option[2]), where)
        elif not line.startswith("-") and (given := _not_of_an_index(line)):
            yield from _reference("project", root, root, given, where)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, without comments; continued ones as one."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        if whole := _COMMENT.sub("", begun + line).strip():
            yield first, whole
        begun = ""
    if whole := begun.strip():
        yield first, whole


def _not_of_an_index(requirement: str) -> str | None:
    """Return the path or URL that a requirement names; None: it comes from an index."""
    named = _NAMED.fullmatch(requirement)
    if named and named["rest"].startswith("@"):
        return _bare(named["rest"][1:])
    bare = _bare(requirement)
    return None if named and not _ARCHIVE.fullmatch(bare) else bare


def _bare(requirement: str) -> str:
    """Return a path or URL without hashes, markers, extras and fragment."""
    text = re.split(r"\s+(?:;|--)", requirement.strip(), maxsplit=1)[0].strip()
    text = re.sub(r"#(egg|subdirectory)=.*$", "", text)
    return re.sub(r"\s*\[[^\]/]*\]$", "", text)


def _reference(kind: Kind, root: Path, base: Path, given: str, where: str) -> Iterator[RequirementPath]:
    """Yield what a path, or a file: URL, leads to; nothing for other URLs. `given` is what messages may show."""
    text = _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), given)
    if _SCHEME.match(text):
        if not text.lower().startswith("file:"):
            return
        text = unquote(urlsplit(text).path)
    resolved = _inside(root, base / text, given, where)
    if kind == "requirements" and not resolved.is_file():
        raise PermanentError(f"{where}: {given} is no file; name a file of requirements")
    yield RequirementPath("archive" if kind == "project" and resolved.is_file() else kind, resolved, where)


def _inside(root: Path, path: Path, given: str, where: str) -> Path:
    try:
        resolved = path.resolve()
        exists = resolved.exists()
    except (OSError, RuntimeError, ValueError):  # too long; links in a circle; a null byte
        raise PermanentError(f"{where}: {given!r} is no path; correct the line") from None
    if not resolved.is_relative_to(root):
        raise PermanentError(f"{where}: {given} leads out of the workload's folder; put it into that folder")
    if not exists:
        raise PermanentError(f"{where}: {given}: there is no such file or folder; add it, or correct the line")
    return resolved


def _of_project(reference: RequirementPath, root: Path) -> Iterator[RequirementPath]:
    """Yield the folders that a project's own pyproject.toml gets packages from, as uv and Poetry write them.

    https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources
    """
    import tomllib  # most have none, and every `dppctl run` comes by here

    file = reference.path / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise PermanentError(f"{file.relative_to(root)}: {error} (named by {reference.where})") from None
    where = str(file.relative_to(root))
    for source in _sources(project):
        if source.get("workspace"):  # any of its members, and what they name
            yield RequirementPath("project", root, where)
        elif isinstance(path := source.get("path"), str):
            yield from _reference("project", root, reference.path, path, where)
    for requirement in _dependencies(project):
        if given := _not_of_an_index(requirement):
            yield from _reference("project", root, reference.path, given, where)


def _sources(project: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [project.get("tool", {}).get(tool, {}).get(part) for tool, part in _SOURCES]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _dependencies(project: dict[str, Any]) -> Iterator[str]:
    table = project.get("project", {})
    lists = [table.get("dependencies"), *table.get("optional-dependencies", {}).values()]
    for listed in [*lists, project.get("build-system", {}).get("requires")]:
        yield from (each for each in listed or [] if isinstance(each, str))
