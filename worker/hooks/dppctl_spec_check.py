"""Reads a spec file with its line numbers and says what is wrong with it, in one line for each error.

YAML is composed with libyaml where dpp has it (`CSafeLoader`), because one real spec has a tab that the pure
Python loader refuses. Only what dpp refuses, crashes on or silently misreads is an error here.
"""

import difflib
import os
from typing import Any, Dict, List, Optional

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PIPELINE_KEYS = ["pipeline", "title", "description", "environment", "schedule", "dependencies", "hooks"]
STEP_KEYS = ["run", "flow", "code", "parameters", "cache", "validate", "runner"]
TEXT = "tag:yaml.org,2002:str"
SQL_DUMPERS = ("dump.to_sql", "dump_to_sql")


class SpecFile:
    """One `pipeline-spec.yaml` or `X.source-spec.yaml`: the errors of the file, and its pipelines by id."""

    def __init__(self, path: str) -> None:
        """path: relative to the workload's folder, which is the current one."""
        self.path = path
        self.errors: List[Dict[str, str]] = []
        self.entries: Dict[str, Entry] = {}
        root = self._compose()
        if root is None or os.path.basename(path) != "pipeline-spec.yaml":
            return  # the fields of a source spec are its generator's business
        if not isinstance(root, yaml.MappingNode):
            self._error(root, "must be a mapping of pipeline ids to pipelines")
            return
        folder = os.path.dirname(path)
        own = [key for key, _ in root.value]
        try:
            yaml.constructor.SafeConstructor().flatten_mapping(
                root
            )  # `<<: *anchor` brings pipelines, which own ones replace
        except yaml.MarkedYAMLError as error:
            self._add(error.problem_mark.line + 1, f"not YAML: {error.problem}")
            return
        for key, value in root.value:
            if key.tag != TEXT or not key.value:
                self._error(key, id_hint(key))
                continue
            name = os.path.join(".", folder, key.value)
            first = self.entries.get(name)
            if first is not None and first.is_own:
                self._error(key, f"pipeline id {key.value} is there twice (first in line {first.line})")
                continue
            self.entries[name] = Entry(path, folder or ".", key, value, key in own)

    def _compose(self) -> Any:
        try:
            with open(self.path, encoding="utf8") as file:
                root = yaml.compose(file.read(), Loader=LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            hint = ""
            if error.problem and "mapping values are not allowed" in error.problem:
                hint = " (is a ':' missing in the line above?)"
            self._add(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}{hint}")
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self._add(1, "not YAML: {}".format(str(error).split("\n")[0]))
        except OSError as error:
            self._add(1, f"cannot be read: {error.strerror}")
        else:
            if root is None:
                self._add(1, "is empty: it should hold pipelines")
            return root
        return None

    def _error(self, node: Any, message: str) -> None:
        self._add(node.start_mark.line + 1, message)

    def _add(self, line: int, message: str) -> None:
        self.errors.append({"where": f"{self.path}:{line}", "message": message})


class Entry:
    """One pipeline of a file: where it is, and its errors."""

    def __init__(self, path: str, folder: str, key: Any, value: Any, is_own: bool) -> None:
        """is_own: it is written there itself, not brought by a merge key."""
        self.path = path
        self.is_own = is_own
        self.folder = folder
        self.line = key.start_mark.line + 1
        self.where = f"{path}:{self.line}"
        self.errors: List[Dict[str, str]] = []
        self._steps: List[Any] = []
        self._check(key, value)

    def line_of_processor(self, message: str) -> str:
        """Return the step whose `run:` dpp's message names ("Couldn't resolve X at …"), else the pipeline."""
        for step in self._steps:
            run = _get(step, "run")
            if run is not None and f"resolve {run.value} at" in message:
                return f"{self.path}:{run.start_mark.line + 1}"
        return self.where

    def line_of_flow(self, module: Optional[str]) -> str:
        """Return the step whose `flow:` names this module, or ''."""
        for step in self._steps:
            flow = _get(step, "flow")
            if flow is not None and flow.value == module:
                return f"{self.path}:{flow.start_mark.line + 1}"
        return ""

    def _check(self, key: Any, pipeline: Any) -> None:
        if not isinstance(pipeline, yaml.MappingNode):
            self._error(key, f"{key.value} must be a mapping with `pipeline:`, the list of steps")
            return
        steps = _get(pipeline, "pipeline")
        if steps is None:
            wrong = self._misspelt(pipeline, "pipeline", PIPELINE_KEYS)
            if wrong is not None:
                self._error(wrong, f"unknown key `{wrong.value}:`; did you mean `pipeline:`?")
            else:
                self._error(key, f"{key.value} has no `pipeline:`, the list of steps")
        elif not isinstance(steps, yaml.SequenceNode) or not steps.value:
            self._error(steps, "`pipeline:` must be a list of steps, each with `run:` or `flow:`")
        else:
            for step in steps.value:
                self._check_step(step)

    def _check_step(self, step: Any) -> None:
        if not isinstance(step, yaml.MappingNode):
            self._error(step, "a step must be a mapping with `run:` or `flow:`")
            return
        self._steps.append(step)
        run, flow = _get(step, "run"), _get(step, "flow")
        if run is None and flow is None:
            wrong = self._misspelt(step, "run", STEP_KEYS) or self._misspelt(step, "flow", STEP_KEYS)
            hint = "; did you mean `{}:` by `{}:`?".format(*wrong_and_right(wrong)) if wrong else ""
            self._error(step, "a step has neither `run:` nor `flow:`" + hint)
        elif run is not None and flow is not None:
            self._error(step, "a step has both `run:` and `flow:`; it must have one of them")
        elif run is not None and run.value in SQL_DUMPERS:
            self._check_tables(step)

    def _check_tables(self, step: Any) -> None:
        parameters = _get(step, "parameters")
        tables = _get(parameters, "tables") if isinstance(parameters, yaml.MappingNode) else None
        if tables is None:
            self._error(step, "dump.to_sql needs `tables:` in its parameters: table names and their resources")
            return
        entries = tables.value if isinstance(tables, yaml.MappingNode) else []
        for name, table in entries:
            if not isinstance(table, yaml.MappingNode) or _get(table, "resource-name") is None:
                self._error(name, f"table {name.value} needs `resource-name:`")
        if not entries:
            self._error(
                tables,
                "`tables:` must be a mapping of table names to `resource-name:`; is a ':' missing after a name?",
            )

    def _misspelt(self, mapping: Any, right: str, known: List[str]) -> Any:
        for key, _ in mapping.value:
            name = str(key.value)
            if name not in known and difflib.get_close_matches(name, [right], cutoff=0.6):
                return key
        return None

    def _error(self, node: Any, message: str) -> None:
        where = f"{self.path}:{node.start_mark.line + 1}"
        self.errors.append({"where": where, "message": message})


def wrong_and_right(key: Any) -> List[str]:
    """Return what was meant by a misspelt key of a step, and the key."""
    return [difflib.get_close_matches(str(key.value), ["run", "flow"], n=1, cutoff=0.5)[0], str(key.value)]


def id_hint(key: Any) -> str:
    """Return what is wrong with a pipeline's id that is no text: for YAML `2018` and `yes` are something else."""
    if isinstance(key, yaml.ScalarNode) and key.value:
        quoted = f"'{key.value}':"
        return f"pipeline id {key.value} must be text, and YAML reads it as something else: put it in quotes, {quoted}"
    return "a pipeline id must be text, and not empty"


def meant(name: str, known: List[str]) -> str:
    """Return `; did you mean X?` when a known name is near, else ''."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def in_one_line(short: str, long: str) -> str:
    """Join dpp's two messages to a single line; its JSON Schema errors have dozens."""
    first = next((line.strip() for line in str(long).splitlines() if line.strip()), "")
    return f"{short}: {first}"


def _get(mapping: Any, name: str) -> Any:
    yaml.constructor.SafeConstructor().flatten_mapping(mapping)  # `<<: *anchor` brings keys too
    for key, value in reversed(mapping.value):
        if key.value == name:
            return value
    return None
