"""Refuses ids that no pipeline of a workload has, before anything is made or started for the run.

It knows specs as plain files. What only dpp can tell (pipelines that code makes, specs that cannot be read, linked
folders) is left to the worker, which says the same about ids.
"""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import DppctlError
from cli.run.report import RunReport

_ID = re.compile(r"(?:\./)?((?:[\w-]+/)*)([\w-]+)")  # without what has a meaning in YAML, or in a pattern of dpp's


def report_unknown_ids(workload: Path, asked: Sequence[str], report: RunReport) -> None:
    """Report an id that no pipeline has, as the worker would, and end with exit code 2."""
    from worker.plan import WorkloadError

    try:
        check_ids(workload, asked)
    except WorkloadError as invalid:
        report.event({"event": "invalid", "time": datetime.now(UTC).isoformat(), "errors": invalid.errors})
        raise SystemExit(2) from None


def check_ids(workload: Path, asked: Sequence[str]) -> None:
    """Raise WorkloadError when one of the ids `asked` for is none of the workload's."""
    if all(_is_in_its_spec(workload, name) for name in asked):
        return
    from worker.plan import choose_ids

    known = _known(workload)
    if known:
        choose_ids(known, asked)


def _is_in_its_spec(workload: Path, asked: str) -> bool:
    """Return whether the spec of its folder has such a key, so that it need not be parsed: that takes long."""
    found = _ID.fullmatch(asked)
    if found is None or (workload / ".dpp_spec_ignore").exists():
        return False
    try:
        text = (workload / found[1] / "pipeline-spec.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    name = re.escape(found[2])
    return re.search(rf"""^\{{?(?:{name}|"{name}"|'{name}')\s*:""", text, re.MULTILINE) is not None


def _known(workload: Path) -> list[str] | None:
    """Return the ids of all pipelines; None when plain files do not tell them."""
    from bot.model.pipeline_specs import parse_specs
    from bot.model.spec_files import is_spec

    contents: dict[str, bytes | None] = {}
    try:
        for folder, folders, names in os.walk(workload, onerror=_raise):
            paths = [Path(folder, name) for name in names if "spec" in name]
            linked = any(Path(folder, name).is_symlink() for name in folders) or any(
                path.is_symlink() for path in paths
            )
            # The worker has something to say of what has nearly a spec's name.
            if linked or any("-spec." in path.name and not is_spec(path.name) for path in paths):
                return None
            folders[:] = [name for name in folders if not name.startswith(".")]
            contents |= {
                path.relative_to(workload).as_posix(): path.read_bytes() for path in paths if is_spec(path.name)
            }
        specs = parse_specs(contents)
    except (DppctlError, OSError):
        return None
    return None if specs.generated_by else [pipeline.id for pipeline in specs.pipelines]


def _raise(error: OSError) -> None:
    raise error
