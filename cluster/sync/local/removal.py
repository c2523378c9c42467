"""Previews that are gone from the ops repo: what this machine has of them is found, and removed by a job.

Only previews are: an environment that the ops repo does not name any more stays as it is.
"""

import shutil
import threading
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from bot.logs import get_logger
from bot.model.names import is_environment
from bot.model.previews import PREFIX
from bot.model.registration import Target
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.environment import environment_folder
from cluster.sync.local.state import Remove

_REMOVED = ".removed"  # a folder that is being removed; no environment's name has a dot
_log = get_logger("dppctl.sync")


def previews_here(environments: Path, patterns: Iterable[Target]) -> Iterator[Target]:
    """Yield the previews that have a folder on this machine."""
    for pattern in patterns:
        folder = environment_folder(environments, pattern).parent
        for found in sorted(folder.glob(f"{PREFIX}*")):
            if is_environment(found.name):
                yield pattern.with_environment(found.name)


def remove_leftovers(environments: Path, patterns: Iterable[Target]) -> None:
    """Remove what a kill left of previews that were being removed."""
    for pattern in patterns:
        for found in environment_folder(environments, pattern).parent.glob(f"{PREFIX}*{_REMOVED}"):
            shutil.rmtree(found, ignore_errors=True)


def gone_previews(
    environments: Path, patterns: Collection[Target], known: Collection[Target], running: Iterable[Target]
) -> list[Target]:
    """Return the previews that this machine has, or works at, and that are not `known` from the ops repo.

    `patterns`: those whose ops repo was read.
    """
    at_work = [target for target in running if target.is_preview and _pattern(target) in patterns]
    here = dict.fromkeys([*previews_here(environments, patterns), *at_work])
    return [target for target in here if target not in known]


class RemovalJob(EnvironmentJob):
    """Removes an environment's folder: its databases, what it published, its releases."""

    def __init__(self, context: JobContext, work: Remove) -> None:
        self.work = work
        self.deliveries = ()
        self._context = context
        self._target = work.target
        self._stop = threading.Event()
        self._pipelines = None

    def run(self) -> None:
        """Remove it; from one moment to the next nobody sees it any more."""
        self._run()

    def _run(self) -> None:
        folder = environment_folder(self._context.environments, self._target)
        removed = folder.with_name(folder.name + _REMOVED)
        shutil.rmtree(removed, ignore_errors=True)
        if folder.exists():
            folder.rename(removed)
            shutil.rmtree(removed)
        self._context.waits.pop(self._target, None)
        self._context.ends.pop(self._target, None)
        _log.info("preview removed", app=self._target.app, environment=self._target.environment)


def _pattern(target: Target) -> Target:
    return target.with_environment(f"{PREFIX}*")
