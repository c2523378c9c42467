"""Which pipelines run, and in which order: decided from what was asked for and what there is."""

import posixpath
from typing import Any, Dict, List, Sequence

Pipeline = Dict[str, Any]


class WorkloadError(Exception):
    """The input is wrong; `errors` holds `{"where", "message"}` for each thing that is."""

    def __init__(self, errors: List[Dict[str, str]]) -> None:
        super().__init__("; ".join("{where}: {message}".format(**error) for error in errors))
        self.errors = errors


def choose(pipelines: Sequence[Pipeline], asked: Sequence[str], unread: Sequence[str] = ()) -> List[Pipeline]:
    """Return the pipelines to run, each after those that it depends on.

    asked: ids, `all`, lists with commas and patterns like `./sub/%`, as `dpp run` takes them; nothing means all.
    unread: files whose names look like those of specs, for the hint when something is missing.
    What an asked pipeline depends on runs too, because a run starts with no state of earlier runs.
    As in `dpp run all`, an invalid pipeline (or a circle of dependencies) that only a pattern brought along keeps no
    other from running: it comes back with its `errors`. Raises WorkloadError for an unknown id, for one that was asked
    for by its id and is invalid or depends on one that is, and when nothing valid is left.
    """
    by_id = {pipeline["id"]: pipeline for pipeline in pipelines}
    chosen: Dict[str, Pipeline] = {}
    for name, is_by_id in choose_ids(list(by_id), asked, unread).items():
        before = dict(chosen)
        try:
            _add_after_dependencies(name, by_id, chosen, [])
        except WorkloadError as circle:
            if is_by_id:
                raise
            chosen = before
            chosen[name] = {**by_id[name], "errors": circle.errors}
        if is_by_id:
            _refuse([pipeline for added, pipeline in chosen.items() if added not in before or added == name])
    if all(pipeline["errors"] for pipeline in chosen.values()):
        _refuse(list(chosen.values()))
    return list(chosen.values())


def _refuse(pipelines: Sequence[Pipeline]) -> None:
    errors = [error for pipeline in pipelines for error in pipeline["errors"]]
    if errors:
        raise WorkloadError(errors)


def choose_ids(known: List[str], asked: Sequence[str], unread: Sequence[str] = ()) -> Dict[str, bool]:
    """Return the ids that are meant, in the order of `known`, and whether each is asked for by its id.

    asked and unread: as for `choose`. Raises WorkloadError for an id that is not known.
    """
    hint = "".join(f"; {path} is not read: dpp wants {_right_name(path)}" for path in unread)
    if not known:
        message = "no pipelines: there is no pipeline-spec.yaml in it" + hint
        raise WorkloadError([{"where": "workload", "message": message}])
    wanted: List[str] = []
    for text in asked:  # a comma may also be part of an id
        wanted += [text] if any(_is_id(each, text) for each in known) else [part.strip() for part in text.split(",")]
    ids: Dict[str, bool] = {}
    for name in [name for name in wanted if name] or ["all"]:
        exact = [each for each in known if _is_id(each, name)]
        matching = exact or [each for each in known if _matches(each, name)]
        if not matching:
            from difflib import get_close_matches  # for this message alone

            near = get_close_matches(name, known, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            message = "no such pipeline; {}known: {}{}".format(guess, ", ".join(sorted(known)), hint)
            raise WorkloadError([{"where": name, "message": message}])
        for pipeline_id in matching:
            ids[pipeline_id] = ids.get(pipeline_id, False) or bool(exact)
    return {pipeline_id: ids[pipeline_id] for pipeline_id in known if pipeline_id in ids}


def _is_id(pipeline_id: str, text: str) -> bool:
    return text == pipeline_id or ("./" + text == pipeline_id and text != "all")


def _matches(pipeline_id: str, name: str) -> bool:
    return name == "all" or (name.endswith("%") and pipeline_id.startswith(name[:-1]))


def _right_name(path: str) -> str:
    """Return the name that dpp reads, of a spec with a name that is nearly so."""
    name = posixpath.basename(path)
    kind = name.lower().partition("source")[0].rstrip(".-_") if "source" in name.lower() else ""
    return f"{name[: len(kind)]}.source-spec.yaml" if kind else "pipeline-spec.yaml"


def _add_after_dependencies(
    name: str, by_id: Dict[str, Pipeline], chosen: Dict[str, Pipeline], above: List[str]
) -> None:
    if name in chosen:
        return
    if name in above:
        circle = " -> ".join([*above[above.index(name) :], name])
        raise WorkloadError([{"where": name, "message": "depends on itself: " + circle}])
    for dependency in by_id[name]["dependencies"]:
        if dependency in by_id:
            _add_after_dependencies(dependency, by_id, chosen, [*above, name])
    chosen[name] = by_id[name]
