"""Which pipelines an app has, read from its specs as plain YAML: the bot never runs a user's code.

Where pipelines come from and how they are named follows dpp 2.2.11:
https://github.com/frictionlessdata/datapackage-pipelines/blob/2.2.11/datapackage_pipelines/specs/specs.py
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from unicodedata import category

import yaml

from bot.errors import DppctlError
from bot.limits import MAX_PIPELINE_ID, MAX_PIPELINES, MAX_SPECS
from bot.model.file_names import IGNORE_FILE, SPEC_FILE
from bot.model.safe_yaml import read_yaml
from bot.model.schedules import normalise_schedule
from bot.model.spec_files import GENERATED, ignored_by, is_hidden
from bot.model.values import Pipeline


@dataclass(frozen=True)
class Specs:
    """The pipelines of an app at one commit."""

    pipelines: tuple[Pipeline, ...]
    # A spec that code of the app turns into pipelines: their ids are known only where that code runs.
    generated_by: str | None = None


_Schedules = dict[str, str | None]
_UNFIT = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # Persian words and emojis have them


def parse_specs(files: Mapping[str, bytes | None], on_file: Callable[[str], None] = lambda _: None) -> Specs:
    """Return the pipelines in the files for which `is_spec` holds, by paths relative to the app's folder.

    None in the place of a content: a symbolic link. `on_file` is called with the path of each file before it is read.
    Raises DppctlError (`file:line: what`) for a file that cannot be read as specs, and for more than is read of an app.
    """
    is_ignored = ignored_by(_content(files, IGNORE_FILE)) if IGNORE_FILE in files else is_hidden
    paths = [path for path in sorted(files) if path != IGNORE_FILE and not is_ignored(path)]
    if len(paths) > MAX_SPECS:
        raise DppctlError(
            f"there are {len(paths):,} specs, and {MAX_SPECS:,} are read at most; make several apps of it"
        )
    generated = [path for path in paths if path.endswith(GENERATED) and _content(files, path)]
    found: dict[str, Pipeline] = {}
    known: dict[bytes, _Schedules] = {}  # the same content is read once
    for path in paths:
        if PurePosixPath(path).name == SPEC_FILE:
            on_file(path)
            content = _content(files, path)
            if content not in known:
                known[content] = _schedules(path, content)
            for pipeline in _pipelines(path, known[content]):
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


def _schedules(path: str, content: bytes) -> _Schedules:
    """Return the schedules (None: there is none) of the pipelines in a spec, by their names."""
    spec, node = read_yaml(content, path)
    if not isinstance(spec, dict):
        raise DppctlError(f"{path}:1: expected pipelines by name")
    keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    lines = {key.value: f"{path}:{key.start_mark.line + 1}: {' '.join(key.value.split())[:80]}" for key in keys}
    for key in keys:
        if key.tag != "tag:yaml.org,2002:str":
            message = "an id must be text, and YAML reads it as something else: put it in quotes"
            raise DppctlError(f"{lines[key.value]}: {message}")
    found: _Schedules = {}
    for name, details in spec.items():
        if not isinstance(details, dict):
            raise DppctlError(f"{lines[name]}: expected a name and below it `pipeline:` with steps")
        where = f"{path}:{_line_below(node, (name, 'schedule', 'crontab'))}: {name}"
        found[name] = _crontab(where, details.get("schedule"))
    return found


def _pipelines(path: str, schedules: _Schedules) -> Iterator[Pipeline]:
    folder = PurePosixPath(path).parent
    for name, schedule in schedules.items():
        identity = f"./{folder / name}"
        if problem := _id_problem(identity):
            raise DppctlError(f"{path}: {identity[:60]!a}: {problem}")
        yield Pipeline(id=identity, schedule=schedule)


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
        raise DppctlError(f"{where}: schedule: crontab: {error}: {crontab[:100]}") from None
