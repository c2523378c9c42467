"""What `dpp run --slave` prints, understood (datapackage-pipelines 2.2: manager/runner.py, manager/tasks.py).

All of it comes on stderr: log lines; among them the sink's count of rows, every hundred rows; at the end, without
a line break, one JSON list with the result, which is read from a file instead (hooks/dppctl_manager.py). Processors'
lines carry the processor's name, so they cannot be mistaken for the sink's.
"""

import re
import signal
from typing import Optional

PROGRESS = re.compile(rb"INFO    :\(sink\): >>> PROCESSED ROWS: (\d+)\s*$")
RESULT = b'[{"success"'
PROCESSOR_ENDED = re.compile(r"ERROR\s+:[0-9a-f]{8} FAILED (?P<processor>.+): (?P<code>-?\d+)$")


def rows_of(line: bytes) -> Optional[int]:
    """Return the number of rows that the sink has seen, if this line says so."""
    if not line.startswith(b"INFO    :(sink)"):
        return None
    match = PROGRESS.match(line)
    return int(match.group(1)) if match else None


def death_of(line: str) -> Optional[str]:
    """Return a sentence about it when this line says that a processor has failed.

    Only the first such line of a pipeline tells its cause: dpp then kills all the other processors.
    """
    match = PROCESSOR_ENDED.match(line)
    if not match:
        return None
    name, code = match.group("processor").rsplit("/", 1)[-1], int(match.group("code"))
    if code < 0:
        return f"processor {name} was ended by {signal_name(-code)}"
    return f"processor {name} ended with exit code {code}"


def signal_name(number: int) -> str:
    """Return the signal in words: `SIGKILL (killed from outside: out of memory?)` for 9, and so on."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return name + " (killed from outside; out of memory?)" if number == signal.SIGKILL else name
