"""Which of two tags is the newer version, by their names: semantic versions, with some tolerance.

https://semver.org/#spec-item-11
"""

import re

_VERSION = re.compile(r"(?:.*?[^0-9.])??v?([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")

VersionKey = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def version_key(name: str) -> VersionKey:
    """Return a key to sort by: `nightly` < `v1.9` < `v1.10-rc.1` < `v1.10`. What is none comes before all."""
    found = _VERSION.fullmatch(name)
    if not found:
        return (), False, ()
    numbers, before = found[1], found[2]
    parts = before.split(".") if before else []
    # Numbers by their value and before words.
    words = tuple((not part.isdecimal(), int(part[:18]) if part.isdecimal() else 0, part) for part in parts)
    return tuple(int(number) for number in numbers.split(".")), before is None, words
