"""Caches of a test's own that have dpp's plain environment, as a user's has after the first run."""

from pathlib import Path

from cluster.local.workers.dpp_environment import DppEnvironment


def cache_with(runtime: DppEnvironment, folder: Path) -> Path:
    """Make a cache in a new folder whose plain environment is this one."""
    published = folder / "runtimes" / runtime.folder.name.rpartition("-")[0]
    published.parent.mkdir(parents=True)
    published.symlink_to(runtime.folder)
    return folder
