"""What `dppctl init` does, step by step: each looks at what is there, and changes it only when something is missing.

So running it again repairs, and never doubles anything; `--dry-run` looks, and tells.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Change:
    """Something that is missing, and how to mend it."""

    text: str  # such as: create the webhook …
    apply: Callable[[], str | None]  # what to say about how it went, if there is more to say than the text


class Step(Protocol):
    """One thing that must be so."""

    def look(self) -> Change | str:
        """What is to change, or what is there already."""


def run(steps: Iterable[Step], say: Callable[[str], None], *, dry_run: bool) -> int:
    """Take the steps in their order; how many changes were made, or, on a dry run, would be.

    Raises what a step raises: what was done before stays, and the next run goes on from there.
    """
    changes = 0
    for step in steps:
        found = step.look()
        if isinstance(found, str):
            say(f"  ok       {found}")
            continue
        changes += 1
        if dry_run:
            say(f"  would    {found.text}")
            continue
        more = found.apply()
        say(f"  done     {found.text}")
        if more:
            say(f"           {more}")
    return changes
