"""Which pipelines an app has, read from its specs as plain YAML: the bot never runs a user's code.

Where pipelines come from and how they are named follows dpp 2.2.11:
https://github.com/frictionlessdata/datapackage-pipelines/blob/2.2.11/datapackage_pipelines/specs/specs.py
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from unicodedata import category

import yaml

from bot.errors import DppctlError
from bot.limits import MAX_PIPELINE_ID, MAX_PIPELINES
from bot.model.safe_yaml import read_yaml
from bot.model.schedules import normalise_schedule
from bot.model.values import Pipeline

SPEC_FILE = "pipeline-spec.yaml"
IGNORE_FILE = ".dpp_spec_ignore"
_GENERATED = ".source-spec.yaml"


@dataclass(frozen=True)
class Specs:
    """The pipelines of an app at one commit."""

    pipelines: tuple[Pipeline, ...]
    # A spec that code of the app turns into pipelines: their ids are known only where that code runs.
    generated_by: str | None = None


_UNFIT = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # Persian words and emojis have them


def is_spec(path: str) -> bool:
    """Return whether the file is needed to know an app's pipelines."""
    name = PurePosixPath(path).name
    return name in (SPEC_FILE, IGNORE_FILE) or name.endswith(_GENERATED)


def parse_specs(files: Mapping[str, bytes | None]) -> Specs:
    """Return the pipelines in the files for which `is_spec` holds, by paths relative to the app's folder.

    None in the place of a content: a symbolic link. Raises DppctlError (`file:line: what`) for a file that cannot be
    read as specs.
    """
    patterns = _content(files, IGNORE_FILE).decode(errors="replace").split() if IGNORE_FILE in files else []
    paths = [path for path in sorted(files) if not _is_ignored(path, patterns)]
    generated = [path for path in paths if path.endswith(_GENERATED) and _content(files, path)]
    found: dict[str, Pipeline] = {}
    for path in paths:
        if PurePosixPath(path).name == SPEC_FILE:
            for pipeline in _pipelines(path, _content(files, path)):
                if found.setdefault(pipeline.id, pipeline) is not pipeline:
                    raise DppctlError(f"{path}: {pipeline.id} is there twice")
                if len(found) > MAX_PIPELINES:
                    raise DppctlError(f"{path}: more than {MAX_PIPELINES:,} pipelines; make several apps of them")
    return Specs(tuple(found.values()), generated[0] if generated else None)


def _content(files: Mapping[str, bytes | None], path: str) -> bytes:
    content = files[path]
    if content is None:
        raise DppctlError(f"{path} is a symbolic link, which is not followed; put the file itself there")
    return content


def _pipelines(path: str, content: bytes) -> Iterator[Pipeline]:
    spec, node = read_yaml(content, path)
    if not isinstance(spec, dict):
        raise DppctlError(f"{path}:1: expected pipelines by name")
    folder = PurePosixPath(path).parent
    for name, details in spec.items():
        if not isinstance(name, str) or not isinstance(details, dict):
            key = " ".join(str(name).split())[:80]
            where = f"{path}:{_line(node, name)}: {key}"
            if not isinstance(name, str):
                raise DppctlError(f"{where}: an id must be text, and YAML reads it as something else: put it in quotes")
            raise DppctlError(f"{where}: expected a name and below it `pipeline:` with steps")
        identity = f"./{folder / name}"
        if problem := _id_problem(identity):
            raise DppctlError(f"{path}: {identity[:60]!a}: {problem}")
        where = f"{path}:{_line_below(node, (name, 'schedule', 'crontab'))}: {name}"
        yield Pipeline(id=identity, schedule=_crontab(where, details.get("schedule")))


def _line(root: yaml.Node | None, name: object) -> int:
    """Return the line of a key at the top: of the one with this name, or of the first that is no text."""
    keys = [key for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
    for key in keys:
        is_text = key.tag == "tag:yaml.org,2002:str"
        if key.value == name if isinstance(name, str) else not is_text and key.value != "<<":
            return int(key.start_mark.line) + 1
    return 1


def _id_problem(identity: str) -> str | None:
    """Return why a pipeline cannot have this id, which goes into values files, logs and arguments; None: it can."""
    if len(identity) > MAX_PIPELINE_ID:
        return f"an id has at most {MAX_PIPELINE_ID} characters with its folder, and this one {len(identity):,}"
    if identity != identity.strip() or any(category(char) in _UNFIT and char not in _JOINERS for char in identity):
        return "an id has no control characters, and no space at its ends"
    return None


def _line_below(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """Return the line of the last of these keys, each below the one before it, that is there."""
    line = 1
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = [(name, below) for name, below in pairs if isinstance(name, yaml.ScalarNode) and name.value == key]
        if not found:
            return line
        name, node = found[-1]
        line = name.start_mark.line + 1
    return line


def _crontab(where: str, schedule: object) -> str | None:
    if schedule is None:
        return None
    crontab = schedule.get("crontab") if isinstance(schedule, dict) else None
    if not isinstance(crontab, str) or len(crontab.split()) != 5:
        raise DppctlError(f"{where}: schedule: expected `crontab:` with five fields, such as '0 6 * * *'")
    try:
        return normalise_schedule(crontab)
    except ValueError as error:
        raise DppctlError(f"{where}: schedule: crontab: {error}: {crontab}") from None


def _is_ignored(path: str, patterns: list[str]) -> bool:
    """Return whether a hidden folder or a pattern of `.dpp_spec_ignore` excludes a path, with all that is below."""
    parts = PurePosixPath(path).parts
    if any(part.startswith(".") for part in parts):
        return True
    above = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(
        fnmatchcase(candidate if "/" in pattern else candidate.rsplit("/", 1)[-1], pattern)
        for pattern in (pattern.strip("/") for pattern in patterns)
        for candidate in above
    )
