"""Removes what runs published in a folder a long time ago, as a public cluster promises.

Of a bucket its own lifecycle does it.
"""

import asyncio
import os
import time
from pathlib import Path

from bot.errors import DppctlError, reason_of
from bot.logs import get_logger
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.limits import EXPIRY_SECONDS
from cluster.storage.layout import LayoutError, Prefix

_log = get_logger("dppctl.publisher")


async def expire(engine: FolderEngine, root: Path, days: int) -> None:
    """Look now and then, until it is cancelled. `root`: of the engine; `days`: that a run's publication stays."""
    while True:
        for prefix in await asyncio.to_thread(old_runs, root, time.time() - days * 86_400):
            try:
                await engine.delete(prefix)
                _log.info("publication expired", prefix=prefix)
            except (DppctlError, OSError) as error:
                _log.warning("publication not removed", prefix=prefix, error=reason_of(error))
        await asyncio.sleep(EXPIRY_SECONDS)


def old_runs(root: Path, before: float) -> list[str]:
    """Return the prefixes of runs that published before a moment (seconds since 1970). Raises OSError.

    An app's folder has a + in its name, OWNER+REPO, and a worker's has none.
    """
    found = []
    with os.scandir(root) as entries:
        for entry in entries:
            try:
                prefix = Prefix.parse(entry.name)
            except LayoutError:
                continue
            is_old = entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before
            if is_old and "+" not in entry.name:
                found.append(prefix.text)
    return sorted(found)
