"""A look for drift in one environment: what is found is told once, and repaired when that is asked for."""

import threading
import time

from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.drift import find_drift, repair
from cluster.sync.helm.journal import Journal
from cluster.sync.helm.state import Decision, DriftCheck


def check_drift(
    context: SyncContext, decision: Decision, journal: Journal, manifest: str, stop: threading.Event
) -> DriftCheck:
    """Return the drift from the release's manifest, and repair it when that may help. Raises ApiAwayError.

    Nothing is repaired after `stop`. What was found before the same way is left: it was told, and mending did not help.
    """
    state = decision.state
    changed, uncompared = find_drift(context.api, state.location, manifest)
    check = DriftCheck(time.monotonic(), tuple(each.line for each in changed), tuple(uncompared))
    last = state.check or DriftCheck(0.0, ())
    for line in sorted(set(check.uncompared) - set(last.uncompared)):
        journal.log.warning("not compared with its manifest", change=line)
    if check.drift == last.drift:
        return check
    for line in check.drift:
        journal.log.warning("changed by hand", change=line)
    if changed and context.repair and state.desired and not stop.is_set():
        journal.read(state.desired)
        failed = repair(context.api, changed)
        rest = f"\nnot repaired: {'; '.join(failed)}" if failed else ""
        journal.tell("progress", f"repaired what was changed by hand: {'; '.join(check.drift)}{rest}")
    return check
