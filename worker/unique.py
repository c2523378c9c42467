"""What a run is asked to check beside: which columns of which resources have other values in each row.

The sink of each pipeline finds it in a file beside that of its facts (worker/hooks/dppctl_wrapper.py).
"""

import json
from pathlib import Path
from typing import Any, Dict, List

FILE = "unique.json"
Unique = Dict[str, Any]  # `columns`, names; `resource`, a name or a glob, None for all


def read_unique(found: Any) -> List[Unique]:
    """Return what a request asks for. Raises ValueError for what is no such list."""
    if not isinstance(found, list) or not all(map(_is_unique, found)):
        raise ValueError('unique must be a list of {"resource": a name, a glob or null, "columns": [names]}')
    return found


def parse_unique(text: str) -> Unique:
    """Return what one option asks for, given as JSON. Raises ValueError."""
    return read_unique([json.loads(text)])[0]


def write_unique(unique: List[Unique], scratch: Path) -> None:
    """Write it to where the sink of a pipeline with this scratch folder finds it. Raises OSError."""
    if unique:
        (scratch / FILE).write_text(json.dumps(unique))


def _is_unique(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("resource"), (str, type(None))):
        return False
    columns = found.get("columns")
    return isinstance(columns, list) and bool(columns) and all(isinstance(name, str) for name in columns)
