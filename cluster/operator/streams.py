"""The stream of a run: how it stands, and what its worker tells, each thing as it happens, until the run has ended.

    {"event": "run", "phase", "reason", "message", "queuePosition", "worker", "database", "rows", "notice"} on a change
    {…, "number": N}                                                                  the worker's events, as they are

An empty line comes after 20 seconds without any. The last line says that the run has ended; a stream that ends without
that one is asked for again, with the number of the last event that was read. Nothing of a stream is kept here.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

from cluster.limits import RUN_SEEN_SECONDS, STREAM_SILENCE_SECONDS
from cluster.operator.operator import Operator
from cluster.operator.state import RunState


class EventStreams:
    """Answers those who follow runs."""

    def __init__(self, operator: Operator) -> None:
        """Take the operator, which sees the runs."""
        self._operator = operator

    async def respond(self, request: web.Request, uid: str, after: int) -> web.StreamResponse | None:
        """Send the stream of a run, without the worker's events up to this number; None: there is no such run."""
        files = self._operator.events
        with files.listen(uid) as changed:
            if not await self._is_seen(uid, changed):
                return None
            position = await asyncio.to_thread(files.position_after, uid, after)
            answer = web.StreamResponse(headers={"Content-Type": "application/jsonl", "Cache-Control": "no-store"})
            await answer.prepare(request)
            said: RunState | None = None
            line = b""
            while run := self._operator.run_state(uid):
                changed.clear()
                if run is not said:
                    said, before, line = run, line, run_line(run)
                    if not run.phase.has_ended and line != before:
                        await answer.write(line)
                while piece := files.read(uid, position):
                    position += len(piece)
                    await answer.write(piece)
                if run.phase.has_ended:
                    await answer.write(line)
                    break
                try:
                    async with asyncio.timeout(STREAM_SILENCE_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    await answer.write(b"\n")
            await answer.write_eof()
            return answer

    async def _is_seen(self, uid: str, changed: asyncio.Event) -> bool:
        """Wait for a run that has just been created; return whether it is there."""
        try:
            async with asyncio.timeout(RUN_SEEN_SECONDS):
                while self._operator.run_state(uid) is None:
                    if self._operator.has_listed and self._operator.events.has(uid):
                        return False  # it was there, and was removed
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return False
        return True


def run_line(run: RunState) -> bytes:
    """Return the line that says how a run stands."""
    line: dict[str, Any] = {
        "event": "run",
        "phase": run.phase,
        "reason": run.reason or None,
        "message": run.message or None,
        "queuePosition": run.queue_position,
        "worker": {"name": run.worker} if run.worker else None,
        "database": {"name": run.database} if run.database else None,
        "rows": run.rows,
        "notice": run.notice or None,
    }
    return json.dumps(line).encode() + b"\n"
