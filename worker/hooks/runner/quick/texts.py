"""Casts rows of text, as CSV files have them, by one function that is compiled for a schema.

Python's own compiler makes it, so a value costs what reading it costs, and no calls around that.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Callable, Dict, List, Sequence

from .fields import ERROR, UnusualFieldError, cast_of, parts_of, reads_text_as_it_is

CastTexts = Callable[[Sequence[str]], List[Any]]


def texts_caster(fields: Sequence[Any]) -> CastTexts:
    """Return a function that casts a row of text, a value for each field.

    It raises anything at all for a row that `Schema.cast_row` is to cast.
    """
    names: Dict[str, Any] = {"Decimal": Decimal, "unusual": _unusual, "ERROR": ERROR, "day": _day}
    values = []
    for number, field in enumerate(fields):
        parts = parts_of(field)
        text = f"v{number}"
        if parts is None:
            values.append(f"unusual({text})")
            continue
        names[f"m{number}"], names[f"r{number}"] = tuple(parts.missing), parts.read
        missing = f"not {text}" if parts.missing == [""] else f"{text} in m{number}"
        if parts.checks:
            names[f"r{number}"] = cast_of(parts)
            values.append(f"r{number}({text})")
            continue
        if reads_text_as_it_is(parts):
            read = f"{text} if {text} != ERROR else unusual({text})"
        elif parts.read in (int, Decimal):
            read = f"{parts.read.__name__}({text})"
        elif field.type == "date" and field.format in ("default", "%Y-%m-%d"):
            read = f"day({text})"
        else:
            read = f"r{number}({text})"
        values.append(f"None if {missing} else {read}")
    arguments = "".join(f"v{number}, " for number in range(len(values)))
    lines = ["def cast(row):", f"    {arguments}= row", f"    return [{', '.join(values)}]"]
    exec("\n".join(lines if values else [lines[0], "    unusual(row)"]), names)  # noqa: S102 - the lines above
    return names["cast"]  # type: ignore[no-any-return]


def _unusual(value: Any) -> Any:
    raise UnusualFieldError(value)


def _day(text: str, read: Callable[[str], date] = date.fromisoformat) -> date:
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise UnusualFieldError(text)
    return read(text)
