"""Whether data that came out may go on: what its values expect of it, and whether somebody accepts it all the same."""

from collections.abc import Collection
from dataclasses import dataclass

from bot.data.compared import compared_of
from bot.data.expectations import check
from bot.model.receipt import Receipt
from bot.model.registration import Target
from bot.model.values import Compared, Values
from cluster.sync.outcome import Outcome


@dataclass(frozen=True)
class DataVerdict:
    """Whether an environment takes the data. failure: why not, a line for each reason; note: what to say if it does."""

    failure: str = ""
    note: str = ""


def judge_data(
    target: Target, values: Values, receipt: Receipt, before: Compared | None, accepted_by: str = ""
) -> DataVerdict:
    """Return whether the data of a deployment is taken; `accepted_by`: who takes it as it is, and why."""
    unmet = [str(found) for found in check(values.expect, receipt, before, values.compared)]
    if not values.accept:
        return DataVerdict(failure=refusal(target, unmet) if unmet else "")
    return DataVerdict(note=accepted_note(unmet, accepted_by))


def judge_scheduled(
    target: Target, values: Values, data: Receipt, before: Compared | None, ran: Collection[str]
) -> DataVerdict:
    """Return the same for the data after a run of the pipelines `ran` by the clock: only what they made is checked.

    Nobody accepts that; what was accepted was one change.
    """
    unmet = [str(found) for found in check(values.expect, data, before, values.compared, ran)]
    return DataVerdict(failure=refusal(target, unmet) if unmet else "")


def compared_before(environment: str, current: Outcome | None) -> Compared | None:
    """Return what a machine's new data is compared with: what is current, and what ran by the clock since; or None."""
    receipt = current.current_data if current else None
    return compared_of(receipt, environment, current.deployment) if current and receipt else None


def refusal(target: Target, unmet: list[str]) -> str:
    """Return why data is not taken: what is not as expected, a line each, and how to take it all the same."""
    accept = f'dppctl deploy {target.app} {target.environment} --accept-change "WHY"'
    return "\n".join([_first(unmet), *_others(unmet), f"to take this data as it is, once: {accept}"])


def accepted_note(unmet: list[str], accepted_by: str) -> str:
    """Return what is said of data that somebody (and why) takes as it is, behind how much it is."""
    by = f"by {accepted_by}" if accepted_by else "by somebody"
    if not unmet:
        return f"; the change was accepted {by}, though all was as expected"
    return "\n".join([f"; accepted {by}, though {_first(unmet)}", *_others(unmet)])


def _first(unmet: list[str]) -> str:
    more = len(unmet) - 1
    return unmet[0] + (f" (and {more} more)" if more else "")


def _others(unmet: list[str]) -> list[str]:
    return unmet[1:]
