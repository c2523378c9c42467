"""Which pipelines run, and in which order: decided from what was asked for and what there is."""

import difflib
from typing import Any, Dict, List, Sequence, Set

Pipeline = Dict[str, Any]


class WorkloadError(Exception):
    """The input is wrong; `errors` holds `{"where", "message"}` for each thing that is."""

    def __init__(self, errors: List[Dict[str, str]]) -> None:
        super().__init__("; ".join("{where}: {message}".format(**error) for error in errors))
        self.errors = errors


def choose(pipelines: Sequence[Pipeline], asked: Sequence[str]) -> List[Pipeline]:
    """Return the pipelines to run, each after those that it depends on.

    asked: ids, `all`, lists with commas and patterns like `./sub/%`, as `dpp run` takes them; nothing means all.
    What an asked pipeline depends on runs too, because a run starts with no state of earlier runs.
    Raises WorkloadError for an unknown id, an invalid spec among the chosen, and dependencies in a circle.
    """
    by_id = {pipeline["id"]: pipeline for pipeline in pipelines}
    chosen: List[Pipeline] = []
    for name in _ids(list(by_id), asked):
        _add_after_dependencies(name, by_id, chosen, [])
    errors = [error for pipeline in chosen for error in pipeline["errors"]]
    if errors:
        raise WorkloadError(errors)
    return chosen


def _ids(known: List[str], asked: Sequence[str]) -> List[str]:
    if not known:
        raise WorkloadError([{"where": "workload", "message": "no pipelines: there is no pipeline-spec.yaml in it"}])
    wanted = [part.strip() for text in asked for part in text.split(",") if part.strip()] or ["all"]
    ids: Set[str] = set()
    for name in wanted:
        matching = [one for one in known if _matches(one, name)]
        if not matching:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            message = "no such pipeline; {}known: {}".format(hint, ", ".join(sorted(known)))
            raise WorkloadError([{"where": name, "message": message}])
        ids.update(matching)
    return [one for one in known if one in ids]


def _matches(pipeline_id: str, name: str) -> bool:
    if name.endswith("%"):
        return pipeline_id.startswith(name[:-1])
    return name in ("all", pipeline_id) or "./" + name == pipeline_id


def _add_after_dependencies(name: str, by_id: Dict[str, Pipeline], chosen: List[Pipeline], above: List[str]) -> None:
    pipeline = by_id[name]
    if pipeline in chosen:
        return
    if name in above:
        circle = " -> ".join([*above[above.index(name) :], name])
        raise WorkloadError([{"where": name, "message": "depends on itself: " + circle}])
    for dependency in pipeline["dependencies"]:
        if dependency in by_id:
            _add_after_dependencies(dependency, by_id, chosen, [*above, name])
    chosen.append(pipeline)
