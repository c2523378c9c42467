"""What `dppctl init` does, step by step: each observes what exists, says what it would change, and changes only that.

So running it again repairs, and never doubles anything; `--dry-run` observes, and says what would be done.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Change:
    """Something that is missing, and how to make it."""

    text: str  # what would be done, such as: create the webhook …
    apply: Callable[[], str | None]  # do it; returns a line about how it went, if there is more to say than the text


class Step(Protocol):
    """Something that must be so."""

    def observe(self) -> Change | str:
        """Return the change that it takes, or a line that says that all is as it must be. Changes nothing itself.

        Raises InputError for what only a person can change.
        """


def run(steps: Iterable[Step], say: Callable[[str], None], *, dry_run: bool) -> int:
    """Take the steps in their order; return how many changes were made, or, on a dry run, would be.

    Raises what a step raises: what was done before stays, and the next run goes on from there.
    """
    changes = 0
    for step in steps:
        observed = step.observe()
        if isinstance(observed, str):
            say(f"  ok       {observed}")
            continue
        changes += 1
        if dry_run:
            say(f"  would    {observed.text}")
            continue
        more = observed.apply()
        say(f"  done     {observed.text}")
        if more:
            say(f"           {more}")
    return changes
