"""What to do about this machine's environments, from one look at them. Pure.

All that a pass needs to know is written down before a job ends. So after a kill at any moment the same decision finds
the step to go on with.
"""

from cluster.sync.local.state import (
    Decision,
    Deploy,
    DesiredValues,
    EnvironmentState,
    MachineState,
    Report,
    RunScheduled,
    Settle,
    Supersede,
    Work,
)
from cluster.sync.outcome import Outcome


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
        case Deploy(desired=running) if desired and desired.values != running.values:
            return Supersede(environment.target)
        case RunScheduled() if desired and not environment.is_settled:  # a deployment goes first
            return Supersede(environment.target)
    return None


def _decide_idle(environment: EnvironmentState, now: float) -> Decision | None:
    target, desired, last, current = environment.target, environment.desired, environment.last, environment.current
    if desired and not environment.is_settled:
        if last and not last.reported:
            return Report(target, last)
        if last and (last.ops_commit, last.values) == (desired.ops_commit, desired.values):
            return Settle(target, desired)
        if current and current.values == desired.values:  # such as after going back from a commit that failed
            return Report(target, _ran_already(current, desired, now))
        return Deploy(target, desired)
    if environment.due and current:
        return RunScheduled(target, current, environment.due)
    return None


def _ran_already(current: Outcome, desired: DesiredValues, now: float) -> Outcome:
    message = f"{current.message}; it ran already"
    return current.model_copy(update={"ops_commit": desired.ops_commit, "message": message, "ended": now})
