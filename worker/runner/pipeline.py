"""One pipeline: the process that runs it, from its start to its result."""

import json
from collections import deque
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Deque, Dict, List, Optional

from worker.events import EventStream
from worker.limits import ERROR_LINE_CHARACTERS, ERROR_LINES, LOG_LINE_BYTES
from worker.plan import Pipeline
from worker.runner import output
from worker.runner.dpp import RESOURCES_FILE, RESULT_FILE
from worker.runner.errors import explain
from worker.runner.places import find_place
from worker.runner.processes import PipelineProcess

Result = Dict[str, Any]


class PipelineRun:
    """Runs one pipeline and tells the event stream; `stop` may come from another thread at any time."""

    def __init__(self, pipeline: Pipeline, workload: Path, scratch: Path, process: PipelineProcess) -> None:
        """process: of this pipeline of the workload, just started with this scratch folder."""
        self.pipeline_id: str = pipeline["id"]
        self._runner = pipeline["runner"]
        self._workload = workload
        self._process = process
        self._result = scratch / RESULT_FILE
        self._resources = scratch / RESOURCES_FILE
        self._started = monotonic()
        self._rows = 0
        self._last_lines: Deque[str] = deque(maxlen=ERROR_LINES)
        self._death: Optional[str] = None
        self._stopped = False

    def stop(self) -> None:
        """End all its processes; the result says `stopped`."""
        self._stopped = True
        self._process.stop()

    def follow(self, events: EventStream) -> Result:
        """Read what dpp prints until it ends, and give the result as the receipt has it (DESIGN: Receipt)."""
        self._read(self._process.stderr, events)
        code = self._process.wait()
        answer = (_json(self._result) or [{}])[0]
        succeeded = code == 0 and bool(answer.get("success"))
        # Without facts the rows did not all reach the sink.
        facts = _json(self._resources) or {"resources": [], "bytes": None, "hash": None}
        stats = _user_facing(answer.get("stats"))
        if stats.get("bytes", 0) is None:
            stats["bytes"] = facts["bytes"]  # dump.to_sql does not count them
        status = "stopped" if self._stopped else "succeeded" if succeeded else "failed"
        error = None if status != "failed" else self._error(code, answer.get("errors") or [])
        place = find_place(error, self._workload) if error else None
        return {
            "id": self.pipeline_id,
            "status": status,
            "rows": self._rows,
            "bytes": facts["bytes"],
            "hash": facts["hash"],
            "seconds": round(monotonic() - self._started, 3),
            "stats": stats,
            "resources": facts["resources"],
            "runner": self._runner,
            "error": error,
            **({"place": place} if place else {}),
        }

    def _read(self, stream: BinaryIO, events: EventStream) -> None:
        continued = False
        while True:
            line = stream.readline(LOG_LINE_BYTES)
            if not line:
                return
            within, continued = continued, not line.endswith(b"\n")
            if within or line.startswith(output.RESULT):
                continue  # the rest of a line that is cut, or what is read from the file
            rows = output.rows_of(line)
            if rows is not None:
                self._rows = rows
                events.progress(self.pipeline_id, rows)
                continue
            text = line.decode("utf8", "replace").rstrip()
            self._death = self._death or output.death_of(text)
            self._last_lines.append(text[:ERROR_LINE_CHARACTERS].replace("\0", ""))
            events.log(self.pipeline_id, text)

    def _error(self, code: int, errors: List[str]) -> str:
        if len(errors) > 1:
            return explain(errors[0], errors[1:], self._workload)
        if code < 0:
            reason = "dpp was ended by " + output.signal_name(-code)
        else:
            reason = self._death or f"dpp ended with exit code {code} and told no error"
        return "\n".join([reason, *self._last_lines])


def _json(file: Path) -> Any:
    """Return what a file of dpp's holds, None when it was not written."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None


def _user_facing(stats: Any) -> Dict[str, Any]:
    # As dpp does (utilities/stat_utils.py): `.dpp` is for the pipelines that depend on this one.
    return {name: value for name, value in stats.items() if name != ".dpp"} if isinstance(stats, dict) else {}
