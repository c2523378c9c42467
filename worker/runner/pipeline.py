"""One pipeline: `dpp run --slave ID` from its start to its result."""

import json
from collections import deque
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Deque, Dict, Optional

from worker.events import EventStream
from worker.runner import output
from worker.runner.dpp import RESOURCES_FILE
from worker.runner.processes import OwnedProcess

ERROR_LINES = 20
LINE_BYTES = 1 << 20

Result = Dict[str, Any]


class PipelineRun:
    """Runs one pipeline and tells the event stream; `stop` may come from another thread at any time."""

    def __init__(self, pipeline_id: str, scratch: Path, process: OwnedProcess) -> None:
        """process: `dpp run --slave` of this pipeline, just started with this scratch folder."""
        self.pipeline_id = pipeline_id
        self._process = process
        self._resources = scratch / RESOURCES_FILE
        self._started = monotonic()
        self._rows = 0
        self._last_lines: Deque[str] = deque(maxlen=ERROR_LINES)
        self._death: Optional[str] = None
        self._answer: Dict[str, Any] = {}
        self._stopped = False

    def stop(self) -> None:
        """End all its processes; the result says `stopped`."""
        self._stopped = True
        self._process.stop()

    def follow(self, events: EventStream) -> Result:
        """Read what dpp prints until it ends, and give the result as the receipt has it (DESIGN: Receipt)."""
        self._read(self._process.stderr, events)
        code = self._process.wait()
        succeeded = code == 0 and bool(self._answer.get("success"))
        facts = self._facts()
        stats = _user_facing(self._answer.get("stats"))
        if stats.get("bytes", 0) is None:
            stats["bytes"] = facts["bytes"]  # dump.to_sql does not count them
        status = "stopped" if self._stopped else "succeeded" if succeeded else "failed"
        return {
            "id": self.pipeline_id,
            "status": status,
            "rows": self._rows,
            "bytes": facts["bytes"],
            "hash": facts["hash"],
            "seconds": round(monotonic() - self._started, 3),
            "stats": stats,
            "resources": facts["resources"],
            "error": None if status != "failed" else self._error(code),
        }

    def _read(self, stream: BinaryIO, events: EventStream) -> None:
        while True:
            line = stream.readline(LINE_BYTES)
            if not line:
                return
            rows = output.rows_of(line)
            if rows is not None:
                self._rows = rows
                events.progress(self.pipeline_id, rows)
                continue
            answer = output.result_of(line)
            if answer is not None:
                self._answer = answer
                continue
            text = line.decode("utf8", "replace").rstrip()
            self._death = self._death or output.death_of(text)
            self._last_lines.append(text)
            events.log(self.pipeline_id, text)

    def _error(self, code: int) -> str:
        errors = [str(line) for line in self._answer.get("errors") or []]
        if len(errors) > 1:
            return "\n".join([f"{errors[0]}:", *output.readable(errors[1:])[-ERROR_LINES:]])
        if code < 0:
            reason = "dpp was ended by " + output.signal_name(-code)
        else:
            reason = self._death or f"dpp ended with exit code {code} and told no error"
        return "\n".join([reason, *self._last_lines])

    def _facts(self) -> Dict[str, Any]:
        try:
            facts: Dict[str, Any] = json.loads(self._resources.read_text())
        except FileNotFoundError:  # the rows did not all reach the sink
            return {"resources": [], "bytes": None, "hash": None}
        return facts


def _user_facing(stats: Any) -> Dict[str, Any]:
    # As dpp does (utilities/stat_utils.py): `.dpp` is for the pipelines that depend on this one.
    return {name: value for name, value in stats.items() if name != ".dpp"} if isinstance(stats, dict) else {}
