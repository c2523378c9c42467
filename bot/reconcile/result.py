"""What a look at a repository is for, and what came out of it, in each ops repo that its apps are deployed by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from bot.limits import MAX_REASON_LINES
from bot.logs import bind_push, get_logger
from bot.model.app_state import AppState
from bot.model.decisions import Choice, Refusal
from bot.model.names import short
from bot.reconcile.explain import explain
from bot.reconcile.settled import LastObservation, Note
from bot.store.tables import Delivery, DeliveryState

_log = get_logger("dppctl.bot")


@dataclass
class Result:
    """How it went with one repository.

    failure: git, the network or a registry; to be tried again. notes: why chosen refs were not deployed, and other
    things to tell the person who pushed. looks: what its apps were, for all other refs. waiting: an image is being
    built; then the app is looked at again. is_busy: its copy is being refreshed once more, and is to be looked at after
    that.
    """

    failure: str | None = None
    waiting: bool = False
    is_busy: bool = False
    notes: list[Note] = field(default_factory=list)
    looks: list[tuple[AppState, Sequence[Choice | Refusal]]] = field(default_factory=list)

    def fail(self, message: str) -> None:
        """Note a failure; the first one stays."""
        self.failure = self.failure or message

    def add(self, look: LastObservation) -> None:
        """Add what was said of an app before."""
        self.notes += look.notes
        self.looks += [look.state] if look.state else []

    def merge(self, other: Self) -> None:
        """Add how it went in another ops repo."""
        self.failure = self.failure or other.failure
        self.waiting = self.waiting or other.waiting
        self.notes += other.notes
        self.looks += other.looks

    def reason(self, ref: str | None) -> str | None:
        """Return why a push of the ref of this full name (None: of any) deployed nothing; None: it deployed."""
        lines = [note.text for note in self.notes if ref in (None, note.ref)]
        lines += [line for state, outcomes in self.looks for line in (explain(state, ref, outcomes) if ref else ())]
        return "\n".join(list(dict.fromkeys(lines))[:MAX_REASON_LINES]) or None


Results = dict[str, Result]


@dataclass(eq=False)
class Round:
    """A look at one repository, from its refresh to the last of its ops repos.

    is_asked: somebody waits for it; otherwise the clock asked, and the ops repos are not refreshed for that.
    deliveries: those that told of it. ids: of these and of earlier ones that are not done with. ops: the ops repos that
    it has still to go through.
    """

    repository: str
    is_asked: bool
    deliveries: list[Delivery]
    ids: tuple[str, ...]
    ops: set[str]
    result: Result = field(default_factory=Result)


def outcomes_of(rounds: Iterable[Round]) -> dict[tuple[DeliveryState, str | None], list[Delivery]]:
    """Return what became of the deliveries of rounds that have ended: those with the same state and words together."""
    outcomes: dict[tuple[DeliveryState, str | None], list[Delivery]] = {}
    for found in rounds:
        reasons: dict[str | None, str | None] = {}
        for delivery in found.deliveries:
            ref = delivery.ref
            outcome: tuple[DeliveryState, str | None] = "failed", f"{found.result.failure}; it will be tried again"
            if not found.result.failure:
                if ref not in reasons:
                    reasons[ref] = found.result.reason(ref)
                outcome = "processed", reasons[ref]
                if reasons[ref]:  # nothing is deployed; what is has lines of its own
                    with bind_push((delivery.id,)):
                        _log.info("processed", repository=found.repository, ref=short(ref or ""), reason=reasons[ref])
            outcomes.setdefault(outcome, []).append(delivery)
    return outcomes
