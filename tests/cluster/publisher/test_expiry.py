"""Runs' publications go after a public cluster's days; deployments and what is young stay."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.expiry import expire, old_runs
from tests.support.asynchronous import run_async

DAY = 86_400.0


def folder(root: Path, name: str, days: float) -> Path:
    """Make one that is so old."""
    (root / name).mkdir(parents=True)
    (root / name / "index.html").write_text("Hello")
    at = time.time() - days * DAY
    os.utime(root / name, (at, at))
    return root / name


def test_only_old_runs_go(tmp_path: Path) -> None:
    old, young = folder(tmp_path, "dppctl-workers-default-1", 91), folder(tmp_path, "dppctl-workers-default-2", 89)
    app, hidden = folder(tmp_path, "ann+data", 400), folder(tmp_path, ".half-dppctl-workers-default-3", 91)
    (tmp_path / "a-file").write_text("")
    elsewhere = folder(tmp_path.parent, f"{tmp_path.name}-elsewhere", 91)
    (tmp_path / "link").symlink_to(elsewhere)
    assert old_runs(tmp_path, time.time() - 90 * DAY) == ["dppctl-workers-default-1/"]

    async def work() -> None:
        engine = FolderEngine(tmp_path / "storage")
        first = folder(tmp_path / "storage", "worker-1", 91)
        with suppress(TimeoutError):
            await asyncio.wait_for(expire(engine, tmp_path / "storage", 90), 0.2)
        assert not first.exists()

    run_async(work())
    assert all(kept.exists() for kept in (old, young, app, hidden, elsewhere))
