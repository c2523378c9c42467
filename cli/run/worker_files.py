"""The worker in the cache, under a hash of its sources: in one file, and compiled in a folder, which starts sooner."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from cluster.errors import ClusterError
from worker.zipapp_builder import build, copy_sources, fingerprint


def worker_zipapp(cache: Path) -> Path:
    """Return the worker in one file, for a container. Raises ClusterError when it cannot be kept."""
    return _kept(cache / "workers" / f"worker-{fingerprint()}.pyz", build)


def worker_folder(cache: Path) -> Path:
    """Return the worker as a folder that Python runs, for this machine's own. Raises ClusterError as above."""
    return _kept(cache / "workers" / f"worker-{fingerprint()}", _lay_out)


def _kept(target: Path, make: Callable[[Path], None]) -> Path:
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            make(target)
        except OSError as error:
            raise ClusterError(f"the worker cannot be kept in {target.parent}: {error.strerror or error}") from error
    return target


def _lay_out(target: Path) -> None:
    """Make the folder, with the hooks as dpp's processes find them (worker/runner/ready.py), all or nothing."""
    import compileall  # once for each version of the worker

    from worker.runner.hooks import write_hooks

    part = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        copy_sources(part)
        write_hooks(part / "hooks")
        compileall.compile_dir(part, quiet=1, stripdir=str(part), prependdir=str(target))
        part.chmod(0o755)
        os.rename(part, target)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        if not target.exists():  # another run was first
            raise
