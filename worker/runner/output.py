"""What `dpp run --slave` prints, understood (datapackage-pipelines 2.2: manager/runner.py, manager/tasks.py).

All of it comes on stderr: log lines; among them the sink's count of rows, every hundred rows; at the end, without
a line break, one JSON list with the result. Processors' lines carry the processor's name, so they cannot be
mistaken for the sink's.
"""

import json
import re
import signal
from typing import Any, Dict, List, Optional

PROGRESS = re.compile(rb"INFO    :\(sink\): >>> PROCESSED ROWS: (\d+)\s*$")
LEVEL = re.compile(r"^(ERROR|WARNING|INFO|DEBUG)\s*:")
RESULT = b'[{"success"'
PROCESSOR_ENDED = re.compile(r"ERROR\s+:[0-9a-f]{8} FAILED (?P<processor>.+): (?P<code>-?\d+)$")


def rows_of(line: bytes) -> Optional[int]:
    """Return the number of rows that the sink has seen, if this line says so."""
    if not line.startswith(b"INFO    :(sink)"):
        return None
    match = PROGRESS.match(line)
    return int(match.group(1)) if match else None


def result_of(line: bytes) -> Optional[Dict[str, Any]]:
    """Return the result of the pipeline, `{"success", "pipeline_id", "stats", "errors"}`, if this line is it."""
    if not line.startswith(RESULT):
        return None
    try:
        results = json.loads(line.decode("utf8", "replace"))
    except ValueError:
        return None
    return dict(results[0])


def death_of(line: str) -> Optional[str]:
    """Return a sentence about it when this line says that a processor was ended by a signal from outside."""
    match = PROCESSOR_ENDED.match(line)
    if not match or int(match.group("code")) >= 0:
        return None
    name = match.group("processor").rsplit("/", 1)[-1]
    return "processor {} was ended by {}".format(name, signal_name(-int(match.group("code"))))


def readable(errors: List[str]) -> List[str]:
    """Return a traceback as people know it: dpp logs each piece of it as a line with a level, and each `^` too."""
    lines = [LEVEL.sub("", line) for line in errors]
    return [line for line in lines if line.strip("^~ ")]


def signal_name(number: int) -> str:
    """Return the signal in words: `SIGKILL (killed from outside: out of memory?)` for 9, and so on."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return name + " (killed from outside; out of memory?)" if number == signal.SIGKILL else name
