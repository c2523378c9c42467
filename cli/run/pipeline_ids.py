"""Refuses ids that no pipeline of a workload has, before anything is made or started for the run.

It knows specs as plain files. What only dpp can tell (pipelines that code makes, specs that cannot be read, linked
folders) is left to the worker, which says the same about ids.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from bot.errors import DppctlError
from bot.model.pipeline_specs import is_spec, parse_specs
from worker.plan import choose_ids


def check_ids(workload: Path, asked: Sequence[str]) -> None:
    """Raise WorkloadError when one of the ids `asked` for is none of the workload's."""
    known = _known(workload)
    if known:
        choose_ids(known, asked)


def _known(workload: Path) -> list[str] | None:
    """Return the ids of all pipelines; None when plain files do not tell them."""
    contents: dict[str, bytes | None] = {}
    try:
        for folder, folders, names in os.walk(workload, onerror=_raise):
            paths = [Path(folder, name) for name in names if "spec" in name]
            if any(Path(folder, name).is_symlink() for name in folders) or any(map(_is_unread, paths)):
                return None
            folders[:] = [name for name in folders if not name.startswith(".")]
            contents |= {
                path.relative_to(workload).as_posix(): path.read_bytes() for path in paths if is_spec(path.name)
            }
        specs = parse_specs(contents)
    except (DppctlError, OSError):
        return None
    return None if specs.generated_by else [pipeline.id for pipeline in specs.pipelines]


def _is_unread(path: Path) -> bool:
    """Return whether the worker has something to say of a file: its name looks like a spec's, or it is a link."""
    return path.is_symlink() or ("-spec." in path.name and not is_spec(path.name))


def _raise(error: OSError) -> None:
    raise error
