"""All that a command lacks, said at once: each check looks for one thing, and nothing begins while one is missing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.errors import DppctlError
from cli.errors import InputError


@dataclass(frozen=True)
class Missing:
    """Something that is missing or wrong; `get`: what to do, "" where `what` says it."""

    what: str
    get: str = ""

    def __str__(self) -> str:
        """Return both as one line."""
        return f"{self.what}; {self.get}" if self.get else self.what


def attempt(check: Callable[[], object]) -> Missing | None:
    """Return what a check complains of when it raises DppctlError or OSError; None: it does not."""
    try:
        check()
    except DppctlError as error:
        return Missing(str(error))
    except OSError as error:
        return Missing(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return None


def require(found: Iterable[Missing | None], also: Iterable[Missing | None] = ()) -> None:
    """Raise InputError with everything that is missing: a line for one thing, a list for several.

    `also`: what is needed only afterwards; it is in the list, and stops nothing by itself.
    """
    missing = list(dict.fromkeys(one for one in found if one))
    if not missing:
        return
    missing += [one for one in also if one]
    if len(missing) == 1:
        raise InputError(str(missing[0]))
    lines = [f"{len(missing)} things are missing or wrong, and nothing was changed:"]
    for one in missing:
        lines.append(f"  - {one.what}")
        lines += [f"    {one.get}"] if one.get else []
    raise InputError("\n".join(lines))
