"""The table of what a run made: each resource with its rows and columns, and where it is."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bot.errors import DppctlError
from bot.model.safe_yaml import read_yaml
from cli.limits import MAX_TABLE_ROWS
from cli.output_options import say
from cli.tables import print_table

SPEC_FILE = "pipeline-spec.yaml"
_SQL_DUMPERS = ("dump.to_sql", "dump_to_sql")
_PATH, _ZIP = "out-path", "out-file"  # parameters that say where
_FILE_DUMPERS = {"dump.to_path": _PATH, "dump_to_path": _PATH, "dump.to_zip": _ZIP, "dump_to_zip": _ZIP}

Places = Mapping[tuple[str, str], Sequence[str]]  # by pipeline and resource; of all of a pipeline's by ""


def print_resources(receipt: Mapping[str, Any], workload: Path | None) -> None:
    """Print the resources of the pipelines that succeeded; nothing where there are none.

    workload: the folder with the specs, which say where each resource goes; None: it is not here.
    """
    ids = [result["id"] for result in receipt["pipelines"] if result["status"] == "succeeded"]
    rows = resource_rows(receipt, read_places(workload, ids) if workload else {})
    if not rows:
        return
    headings = ["pipeline"] if len({row["pipeline"] for row in rows}) > 1 else []
    headings += ["resource", "rows", "columns"] + (["where"] if any(row["where"] for row in rows) else [])
    print_table(rows[:MAX_TABLE_ROWS], {name: name for name in headings})
    if len(rows) > MAX_TABLE_ROWS:
        say(f"and {len(rows) - MAX_TABLE_ROWS:,} more")


def resource_rows(receipt: Mapping[str, Any], places: Places) -> list[dict[str, Any]]:
    """Return a row for each resource of the pipelines that succeeded, in the receipt's order.

    On a cluster code of the workload may have written the receipt, so what a resource is made of may be anything.
    """
    return [
        {
            "pipeline": result["id"],
            "resource": str(resource.get("name")),
            "rows": resource.get("rows"),
            "columns": len(_list(resource.get("fields"))),
            "where": ", ".join(
                place for name in (str(resource.get("name")), "") for place in places.get((result["id"], name), ())
            ),
        }
        for result in receipt["pipelines"]
        if result["status"] == "succeeded"
        for resource in map(_mapping, _list(result.get("resources")))
    ]


def read_places(workload: Path, ids: Sequence[str]) -> Places:
    """Return where the specs in a folder have these pipelines write: `table zones`, `data/zones/`.

    Of what code writes, or of pipelines that code makes, nothing is known. A spec that cannot be read any more says
    nothing either: the pipelines ran all the same.
    """
    places: dict[tuple[str, str], list[str]] = {}
    specs: dict[PurePosixPath, Any] = {}
    for pipeline in ids:
        folder, name = PurePosixPath(pipeline).parent, PurePosixPath(pipeline).name
        if folder not in specs:
            specs[folder] = _read(workload / folder / SPEC_FILE)
        for resource, place in _places(specs[folder], name, folder):
            places.setdefault((pipeline, resource), []).append(place)
    return places


def _read(file: Path) -> Any:
    try:
        return read_yaml(file.read_bytes(), str(file))[0]
    except (OSError, DppctlError):
        return None


def _places(spec: Any, pipeline: str, folder: PurePosixPath) -> Iterator[tuple[str, str]]:
    """Yield resources, "" for all, each with where a pipeline of a spec writes it."""
    for step in _list(_mapping(_mapping(spec).get(pipeline)).get("pipeline")):
        kind, parameters = _mapping(step).get("run"), _mapping(_mapping(step).get("parameters"))
        if kind in _SQL_DUMPERS:
            for table, about in _mapping(parameters.get("tables")).items():
                if resource := _mapping(about).get("resource-name"):
                    yield str(resource), f"table {table}"
        elif kind in _FILE_DUMPERS and (target := parameters.get(_FILE_DUMPERS[kind])):
            end = "/" if _FILE_DUMPERS[kind] == _PATH and not str(target).endswith("/") else ""
            yield "", f"{folder / str(target)}{end}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
