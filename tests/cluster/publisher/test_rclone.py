"""Calls to the real rclone, started again between two looks at what it does: its numbers of jobs begin anew."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from cluster.publisher.engines import rclone
from tests.support.asynchronous import run_async
from tests.support.builders import free_port
from tests.support.publisher.buckets import make_password, rclone_daemon

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("questions", [0, 40])
def test_another_job_by_the_number_of_ours_is_not_ours(
    questions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no question before it the job by our number is the very question for it."""
    monkeypatch.setattr(rclone, "RCLONE_LOOK_SECONDS", (2.0, 2.0))
    password = make_password(tmp_path).read_text().strip()
    source, port = tmp_path / "source", free_port()
    source.mkdir()
    (source / "large.bin").write_bytes(os.urandom(8 * 2**20))

    async def copy_while_it_is_started_again() -> None:
        async with aiohttp.ClientSession() as session:
            client = rclone.Rclone(session, f"http://127.0.0.1:{port}", password)
            with ExitStack() as first:
                first.enter_context(rclone_daemon(port, tmp_path, {"RCLONE_BWLIMIT": "1M"}))
                task = asyncio.create_task(client.run("sync/copy", srcFs=str(source), dstFs=str(tmp_path / "target")))
                await asyncio.sleep(1)
            with rclone_daemon(port, tmp_path, {}):
                for _ in range(questions):
                    await client.call("rc/noop")
                await task

    run_async(copy_while_it_is_started_again())
    assert (tmp_path / "target" / "large.bin").read_bytes() == (source / "large.bin").read_bytes()
