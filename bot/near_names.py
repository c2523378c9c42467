"""What a person probably meant by a name that nothing has."""

import difflib
from collections.abc import Iterable

from bot.limits import MAX_KNOWN_NAMES


def name_hint(name: str, known: Iterable[str]) -> str:
    """Return the end of a refusal: `did you mean A? known: A, B`, or what is known where nothing is near."""
    names = sorted(set(known))
    near = nearest(name, names)
    meant = f"did you mean {near}? " if near else ""
    return f"{meant}known: {listed(names)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like it, or the only one that it is a part of; None: none is near."""
    names = sorted(set(known))
    if close := difflib.get_close_matches(name, names, n=1):
        return close[0]
    having = [found for found in names if name and name.casefold() in found.casefold()]
    return having[0] if len(having) == 1 else None


def listed(names: list[str]) -> str:
    """Return names in a line; of many the first, and how many more there are."""
    more = len(names) - MAX_KNOWN_NAMES
    return (", ".join(names[:MAX_KNOWN_NAMES]) or "nothing") + (f" and {more:,} more" if more > 0 else "")
