"""Batches as bytes, between the two halves of a lane: by `marshal` where all values are plain, else by `pickle`.

Numbers, dates and times go as texts, which is quicker than to pickle each, and come back the same.
"""

import marshal
import pickle
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .batches import Batch
from .lined import LinedBatch

_MARSHAL = 2  # the format without references, which cost more than they save
_PLAIN = frozenset((str, int, float, bool, type(None)))
_NONE = type(None)
_TEXTS: Dict[type, Tuple[str, Callable[[Any], str], Callable[[str], Any]]] = {
    Decimal: ("n", str, Decimal),
    date: ("d", date.isoformat, date.fromisoformat),
    datetime: ("t", datetime.isoformat, datetime.fromisoformat),
}
_READERS = {sign: read for sign, _, read in _TEXTS.values()}


def packed(item: Any) -> bytes:
    """Return a batch, or what else a step gives, as bytes."""
    if isinstance(item, LinedBatch):
        return b"l" + marshal.dumps(item.lines, _MARSHAL)
    if isinstance(item, Batch):
        if item.columns is None:
            return b"r" + pickle.dumps(item.rows(), pickle.HIGHEST_PROTOCOL)
        columns = [_packed(values) for values in item.columns.values()]
        if None not in columns:
            return b"c" + marshal.dumps((item.count, list(item.columns), columns), _MARSHAL)
        return b"p" + pickle.dumps((item.count, item.columns), pickle.HIGHEST_PROTOCOL)
    return b"i" + pickle.dumps(item, pickle.HIGHEST_PROTOCOL)


def unpacked(content: bytes) -> Any:
    """Return what was packed; content: of this very process's child."""
    kind, content = content[:1], content[1:]
    if kind == b"c":
        count, keys, columns = marshal.loads(content)  # noqa: S302
        return Batch({key: _unpacked(*column) for key, column in zip(keys, columns)}, count)
    if kind == b"l":
        return LinedBatch(marshal.loads(content))  # noqa: S302
    found = pickle.loads(content)  # noqa: S301
    if kind == b"p":
        return Batch(found[1], found[0])
    return Batch(None, len(found), found) if kind == b"r" else found


def _packed(values: Sequence[Any]) -> Optional[Tuple[str, List[Any]]]:
    """Return a column for `marshal`, with a sign for how it is read; None: it can not be written so."""
    types = set(map(type, values))
    if types <= _PLAIN:
        return "", list(values)
    others = types - {_NONE}
    if len(others) != 1:
        return None
    found = _TEXTS.get(others.pop())
    if found is None:
        return None
    sign, write, _ = found
    if _NONE in types:
        return sign + "?", [None if value is None else write(value) for value in values]
    return sign, list(map(write, values))


def _unpacked(sign: str, values: List[Any]) -> Sequence[Any]:
    if not sign:
        return values
    read = _READERS[sign[0]]
    return [None if value is None else read(value) for value in values] if sign[1:] else list(map(read, values))
