"""Rows that a step before wrote as text: dpp takes the text apart when the first of a row's values is asked for."""

import sys
from typing import Any, Dict, Optional

_CODEC = "datapackage_pipelines.utilities.extended_json"


def plain_row(row: Any) -> Optional[Dict[str, Any]]:
    """Return the dictionary that a row is, or that a line of dpp's stands for; None for any other object.

    Who changes a value in that of a line is to say so: `row._dirty = True`.
    """
    if type(row) is dict:
        return row
    lazy_line = getattr(sys.modules.get(_CODEC), "LazyJsonLine", None)
    if lazy_line is None or type(row) is not lazy_line:
        return None
    inner = row.inner
    return inner if type(inner) is dict else None
