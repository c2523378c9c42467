"""The user's own line that failed, with the lines around it, for people who do not have the files at hand."""

import os
import re
import stat
from pathlib import Path
from typing import Any, Dict, List, Optional

from worker.limits import PLACE_FILE_BYTES, PLACE_LINE_CHARACTERS, PLACE_LINES_AROUND

_HEADLINE = re.compile(r"(?P<file>[^\0]{1,250}?\.py):(?P<line>[1-9]\d{0,6}): ")


def find_place(error: str, workload: Path) -> Optional[Dict[str, Any]]:
    """Return file, line, processor and source of the line that an error of `explain` begins with; None: with none.

    source: {"first": the number of its first line, "lines": texts}, missing when the file cannot be read as text.
    """
    headline, _, rest = error.partition("\n")
    found = _HEADLINE.match(headline)
    if found is None:
        return None
    line = int(found.group("line"))
    place: Dict[str, Any] = {
        "file": found.group("file"),
        "line": line,
        "processor": rest.partition("\n")[0].rstrip(":")[:250],
    }
    lines = _read(workload / found.group("file"))
    first = max(1, line - PLACE_LINES_AROUND)
    around = [text[:PLACE_LINE_CHARACTERS] for text in lines[first - 1 : line + PLACE_LINES_AROUND]]
    if line <= len(lines):
        place["source"] = {"first": first, "lines": around}
    return place


def _read(file: Path) -> List[str]:
    """Return the lines of a plain file, at most so much of it; none of what cannot be read."""
    try:
        descriptor = os.open(str(file), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                return []
            text = opened.read(PLACE_FILE_BYTES).decode("utf8", "replace")
    except (OSError, ValueError):
        return []
    return text.replace("\0", "").split("\n")
