"""Reads dates and times by a format that has a digit for each place, as `strptime` does and some ten times faster."""

from datetime import datetime
from typing import Any, Callable, Dict, List, Optional, Tuple

WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}


Slots = Dict[str, Tuple[int, int]]
Literals = List[Tuple[int, str]]


def layout_reader(pattern: Any, required: str) -> Optional[Callable[[str], datetime]]:
    """Return a function that reads text of this pattern, or None for patterns of another kind.

    required: the directives that it must have. The function returns what `datetime.strptime` does, and raises
    ValueError for text that strptime is to judge: of other lengths, with other signs, or wrong.
    """
    if type(pattern) is not str or pattern.startswith("fmt:"):
        return None
    if pattern in _ISO and all(directive in pattern for directive in required):
        return _ISO[pattern]
    layout = _layout(pattern)
    if layout is None or any(directive not in layout[0] for directive in required):
        return None
    slots, literals, length = layout
    if ("Y" in slots) != ("m" in slots and "d" in slots):
        return None
    places = [(default, slots.get(directive)) for directive, default in zip("YmdHMS", (1900, 1, 1, 0, 0, 0))]

    def read(text: str) -> datetime:
        if len(text) != length or not text.isascii() or any(text[place] != sign for place, sign in literals):
            raise ValueError(text)
        numbers = []
        for default, slot in places:
            if slot is None:
                numbers.append(default)
            else:
                digits = text[slot[0] : slot[1]]
                if not digits.isdigit():
                    raise ValueError(text)
                numbers.append(int(digits))
        return datetime(*numbers)  # type: ignore[arg-type]

    return read


def _layout(pattern: str) -> Optional[Tuple[Slots, Literals, int]]:
    """Return where the directives and the other signs of a pattern stand, and its length; None for other patterns."""
    slots: Slots = {}
    literals: Literals = []
    position = 0
    signs = iter(pattern)
    for sign in signs:
        if sign != "%":
            literals.append((position, sign))
            position += 1
            continue
        directive = next(signs, "")
        if directive not in WIDTHS or directive in slots:
            return None
        slots[directive] = (position, position + WIDTHS[directive])
        position += WIDTHS[directive]
    return slots, literals, position


def _read_date(text: str) -> datetime:
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _reader_of_moments(between: str, end: str) -> Callable[[str], datetime]:
    """Return a reader of ISO dates and times to the second; between: a date and its time; end: behind the time."""
    length = 19 + len(end)

    def read(text: str) -> datetime:
        usual = len(text) == length and text[4] == text[7] == "-" and text[13] == text[16] == ":"
        if not usual or text[10] != between or text[19:] != end or text[11:13] == "24":
            raise ValueError(text)
        return datetime.fromisoformat(text[:19])

    return read


_ISO = {
    "%Y-%m-%d": _read_date,
    "%Y-%m-%dT%H:%M:%SZ": _reader_of_moments("T", "Z"),
    "%Y-%m-%dT%H:%M:%S": _reader_of_moments("T", ""),
    "%Y-%m-%d %H:%M:%S": _reader_of_moments(" ", ""),
}
