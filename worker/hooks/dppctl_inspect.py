"""Lists a workload's pipelines and what is wrong with their specs, in dpp's own Python and words.

Run in the workload's folder by `dpp` itself with DPPCTL_INSPECT_FILE=FILE (see sitecustomize.py); writes to FILE

    {"errors": [{"where", "message"}],
     "unread": [path: its name looks like a spec's, and dpp does not read it],
     "pipelines": [{"id", "folder", "dependencies": [id], "schedule": crontab | null, "errors": [...]}]}

to which the warm process (runner/server.py) adds each pipeline's "runner".

dpp finds specs, expands generators and resolves processors; `dppctl_spec_check` comes before it, because dpp
crashes or stays silent on much of what people get wrong, and does not tell the line.
"""

import contextlib
import io
import json
import os
import re
import sys
import traceback
from typing import Any, Dict, List, Tuple

import dppctl_spec_check as check

NEARLY_A_SPEC = re.compile(r"^pipelines?[-_. ]?specs?\.ya?ml$|.[-_.]source[-_. ]?specs?\.ya?ml$", re.IGNORECASE)


def main(target: str) -> None:
    """Write the report to this file and end the process; the exit code is 0 when it could be written."""
    code = 0
    try:
        write(inspect()[0], target)
    except OSError as error:
        sys.stderr.write(f"cannot inspect the pipelines: {error}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # what called this is dpp, which is not to run now


def write(report: Dict[str, Any], target: str) -> None:
    """Write the report to a file, so that a reader finds all of it or none. Raises OSError."""
    with open(target + ".part", "w") as file:
        json.dump(report, file)
    os.replace(target + ".part", target)


def inspect() -> Tuple[Dict[str, Any], List[Any]]:
    """Return the report on the specs below the current folder, and the pipelines as dpp has them."""
    paths, unread = spec_paths()
    files = [check.SpecFile(path) for path in paths]
    errors = [error for spec_file in files for error in spec_file.errors]
    if errors:
        return {"errors": errors, "unread": unread, "pipelines": []}, []
    sys.path.insert(0, "")  # as in a script run in this folder: generators and flows may be here
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            pipelines = dpp_pipelines()
    except Exception as error:  # noqa: BLE001 - generators and flows are the user's code: anything can come
        return {"errors": [explain(error, files)], "unread": unread, "pipelines": []}, []
    entries = {name: entry for spec_file in files for name, entry in spec_file.entries.items()}
    report = [describe(spec, entries.get(spec.pipeline_id)) for spec in pipelines]
    known = [pipeline["id"] for pipeline in report]
    for pipeline in report:
        for dependency in pipeline["dependencies"]:
            if dependency not in known:
                entry = entries.get(pipeline["id"])
                message = f"depends on {dependency}, which does not exist{check.meant(dependency, known)}"
                pipeline["errors"].append({"where": entry.where if entry else pipeline["id"], "message": message})
    return {"errors": [], "unread": unread, "pipelines": report}, pipelines


def spec_paths() -> Tuple[List[str], List[str]]:
    """Return the spec files that dpp would read (specs/specs.py: find_specs), and those nearly so named."""
    from datapackage_pipelines.specs.specs import SPEC_PARSERS
    from datapackage_pipelines.utilities import dirtools

    found: List[str] = []
    unread: List[str] = []
    for folder, _, names in dirtools.Dir(".", exclude_file=".dpp_spec_ignore", excludes=[".*"]).walk():
        relative = os.path.relpath(folder, ".")
        if relative.startswith(".") and relative != ".":
            continue
        for name in sorted(names):
            is_spec = any(parser.check_filename(name) for parser in SPEC_PARSERS)
            if is_spec or NEARLY_A_SPEC.search(name):
                (found if is_spec else unread).append(os.path.normpath(os.path.join(relative, name)))
    return found, unread


def dpp_pipelines() -> List[Any]:
    """Return what dpp makes of the specs, without dependencies: they are looked at when all pipelines are known."""
    from datapackage_pipelines.specs import pipelines

    return list(pipelines(ignore_missing_deps=True))


def describe(spec: Any, entry: Any) -> Dict[str, Any]:
    """Return a pipeline of dpp's as the report has it."""
    details = spec.pipeline_details if isinstance(spec.pipeline_details, dict) else {}
    errors = list(entry.errors) if entry else []
    if not errors:
        for error in spec.validation_errors:
            where = entry.line_of_processor(error.long_msg) if entry else os.path.relpath(spec.path)
            errors.append({"where": where, "message": check.in_one_line(error.short_msg, error.long_msg)})
    dependencies = [
        item["pipeline"]
        for item in details.get("dependencies") or []
        if isinstance(item, dict) and isinstance(item.get("pipeline"), str)
    ]
    return {
        "id": spec.pipeline_id,
        "folder": os.path.relpath(spec.path),
        "dependencies": dependencies,
        "schedule": " ".join(spec.schedule) if spec.schedule else None,
        "errors": errors,
    }


def explain(error: Exception, files: List[Any]) -> Dict[str, str]:
    """Return a line about an error that the user's own code, or dpp on its behalf, raised."""
    frames = traceback.extract_tb(error.__traceback__)
    here = os.getcwd() + os.sep
    own = [
        frame for frame in frames if os.path.isfile(frame.filename) and os.path.abspath(frame.filename).startswith(here)
    ]
    where = f"{os.path.relpath(own[-1].filename)}:{own[-1].lineno}" if own else ""
    if isinstance(error, ImportError) and not own:
        for spec_file in files:
            for entry in spec_file.entries.values():
                where = where or entry.line_of_flow(getattr(error, "name", None))
    message = "{}: {}".format(type(error).__name__, str(error).strip().split("\n")[0])
    if isinstance(error, ModuleNotFoundError):
        message += " (is it in requirements.txt?)"
    return {"where": where or "specs", "message": message}
