"""What to do about this machine's environments, from one look at them. Pure.

All that a pass needs to know is written down before a job ends. So after a kill at any moment the same decision finds
the step to go on with.
"""

from bot.model.registration import Target
from cluster.sync.local.state import (
    Decision,
    Deploy,
    DesiredValues,
    EnvironmentState,
    MachineState,
    Remove,
    Report,
    Restore,
    RunScheduled,
    Settle,
    Supersede,
    Work,
)
from cluster.sync.outcome import End, Outcome


def decide(state: MachineState) -> list[Decision]:
    """Return what to do now, at most one thing for each environment, and no more jobs than are free.

    Whoever was served last comes last, so that busy environments starve nobody.
    """
    free, decisions = state.free, list[Decision]()
    for environment in sorted(state.environments, key=lambda found: (found.last_start, found.target)):
        decision = _decide_running(environment) if environment.running else _decide_idle(environment, state.now)
        if isinstance(decision, Work):
            if free <= 0 or environment.waits:
                continue
            free -= 1
        if decision:
            decisions.append(decision)
    return decisions


def _decide_running(environment: EnvironmentState) -> Decision | None:
    desired = environment.desired
    match environment.running:
        case Remove():
            return None
        case _ if environment.is_gone:
            return Supersede(environment.target)
        case Deploy(desired=running) if desired and desired.values != running.values:
            return Supersede(environment.target)
        case RunScheduled() if desired and not environment.is_settled:  # a deployment goes first
            return Supersede(environment.target)
    return None


def _decide_idle(environment: EnvironmentState, now: float) -> Decision | None:
    if environment.is_gone:
        return Remove(environment.target)
    target, desired, last, current = environment.target, environment.desired, environment.last, environment.current
    if desired and not environment.is_settled:
        if last and not last.reported:
            return Report(target, last)
        if last and (last.ops_commit, last.values) == (desired.ops_commit, desired.values):
            return Settle(target, desired)
        if desired.restored:
            return _decide_restored(target, desired, current, environment.kept, now)
        if not desired.values.pipelines:
            return Report(target, _end(desired, "succeeded", "no pipeline is to run", now))
        if current and current.values == desired.values:  # such as after going back from a commit that failed
            return _take(target, desired, current, current, _again(current, desired, "it ran already", now))
        return Deploy(target, desired)
    if environment.due and current:
        is_last = last and last.phase == "succeeded" and last.values == current.values
        ops_commit = last.ops_commit if last and is_last else current.ops_commit  # which may have gone back to it
        deployed = current.model_copy(update={"ops_commit": ops_commit, "restored_for": ()})
        return RunScheduled(target, deployed, environment.due)
    return None


def _decide_restored(
    target: Target, desired: DesiredValues, current: Outcome | None, kept: tuple[Outcome, ...], now: float
) -> Decision:
    """Go back to a release that is kept; when it is gone, say so, and leave the environment as it is."""

    def is_it(found: Outcome) -> bool:
        return found.values == desired.values and found.is_of(desired.restored)

    if found := next(filter(is_it, (*([current] if current else []), *kept)), None):
        end = _again(found, desired, "back to what it was, nothing ran", now)
        return _take(target, desired, current, found, end)
    gone = "what that deployment left is not kept on this machine any more"
    return Report(target, _end(desired, "failed", f"{gone}; `dppctl rollback` with --run runs it again", now))


def _take(
    target: Target, desired: DesiredValues, current: Outcome | None, release: Outcome, end: Outcome
) -> Restore | Report:
    """Take a release for an ops commit; only the report is left when a kill came after the switch."""
    if release == current and release.is_of(desired.ops_commit):
        return Report(target, end)
    return Restore(target, desired, release, end)


def _again(release: Outcome, desired: DesiredValues, what: str, now: float) -> Outcome:
    """Return the end of a release's deployment as that of another one, which ran nothing."""
    message = f"{release.message}; {what}"
    return release.model_copy(
        update={"ops_commit": desired.ops_commit, "message": message, "ended": now, "reported": False}
    )


def _end(desired: DesiredValues, phase: End, message: str, now: float) -> Outcome:
    """Return the end of a deployment that ran nothing."""
    return Outcome(
        ops_commit=desired.ops_commit,
        values=desired.values,
        phase=phase,
        message=message,
        receipt=None,
        began=now,
        ended=now,
    )
