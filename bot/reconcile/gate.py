"""Decide whether a ref may go on to an environment whose action has `after:`: its files are to run well there first.

Level-triggered like the rest: which files a ref has (git's id of their folder, not the commit's), and how deployments
of these files ended in the other environment, is all that counts. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, TreeRun
from bot.model.decisions import Choice, Decision, GateWait, Refusal, Update
from bot.model.file_names import CONFIG_FILE
from bot.model.names import short


def gate_of(choice: Choice, state: AppState) -> str | None:
    """Return the environment that a choice has to wait for, by the `.dppctl.yaml` of its own commit; None: for none."""
    for ops, action in state.commits[choice.ref.commit].config.actions(state.app):
        if (ops, action.environment) == (choice.target.ops, choice.target.environment):
            return action.after
    return None


def pass_gate(decision: Decision, choice: Choice, state: AppState, outcomes: Sequence[Choice | Refusal]) -> Decision:
    """Return the decision about a choice; in the place of an update that has to wait, or must not be, that.

    `outcomes`: what was chosen for all environments of the app.
    """
    if not isinstance(decision, Update) or (gate := gate_of(choice, state)) is None:
        return decision
    environment, ref = choice.target.environment, choice.ref
    if gate not in {target.environment for target in state.allowed if target.app == state.app}:
        file = state.app.file(CONFIG_FILE)
        why = f"{file} has after: {gate}, and {state.app} is not registered for {gate}, so nothing ever runs there"
        return Refusal(state.app, environment, ref, why)
    runs = _runs(choice, gate, state)
    ended = next((run for run in runs if run.state in ("succeeded", "failed")), None)
    is_open = any(not run.has_ended for run in runs if ended is None or run.id > ended.id)
    if ended and ended.state == "succeeded":
        note = f"its files ran well in {gate} (deployment {ended.id})"
        return replace(decision, note="; ".join(filter(None, [decision.note, note])))
    if ended and not is_open:
        return Refusal(state.app, environment, ref, f"these files failed in {gate} (deployment {ended.id})")
    why = _why(choice, gate, runs, state, outcomes)
    return GateWait(choice.target, ref, gate, f"waits for {gate}{why}", state.commits[ref.commit].facts)


def pass_by_hand(update: Update, choice: Choice, state: AppState) -> Update:
    """Return an update that a person asked for, which does not wait; it says so where it would have had to."""
    gate = gate_of(choice, state)
    if gate is None or any(run.state == "succeeded" for run in _runs(choice, gate, state)):
        return update
    return replace(update, note=f"by hand it does not wait for {gate}, where these files have not run well")


def is_waited_for(environment: str, state: AppState) -> bool:
    """Tell whether an action of the app, at any branch or tag, has to wait for an environment."""
    configs = [found.config for found in state.refs if isinstance(found.config, AppConfig)]
    return any(action.after == environment for config in configs for _, action in config.actions(state.app))


def _runs(choice: Choice, gate: str, state: AppState) -> Sequence[TreeRun]:
    return state.ran.get((gate, state.commits[choice.ref.commit].tree), ())


def _why(
    choice: Choice, gate: str, runs: Sequence[TreeRun], state: AppState, outcomes: Sequence[Choice | Refusal]
) -> str:
    """Return what there is to say of a wait, and what ends it if that is something that somebody has to do."""
    newest = runs[0] if runs else None
    if newest and not newest.has_ended:
        return ""
    if gate in state.held:
        return f", which is held: {state.held[gate]}; `dppctl release {state.app} {gate}` ends that"
    there = [found for found in outcomes if isinstance(found, Choice) and found.target.environment == gate]
    commits = [state.commits.get(found.ref.commit) for found in there]
    if any(commit is None or commit.tree == state.commits[choice.ref.commit].tree for commit in commits):
        if newest and newest.state in ("refused", "skipped", "cancelled"):
            return f", where these files were {newest.state} (deployment {newest.id})"
        return ""  # they will run there by themselves
    by_hand = f"`dppctl deploy {state.app} {gate} --ref {short(choice.ref.name)}` runs them there"
    if refused := [found for found in outcomes if isinstance(found, Refusal) and found.environment == gate]:
        return f", where {short(refused[0].ref.name)} is refused; {by_hand}"
    if not there:
        return f", where no branch or tag deploys these files; {by_hand}"
    other = f"{short(there[0].ref.name)} ({there[0].ref.commit[:12]})"
    return f", where these files have not run, as {other} has others; push them there, or {by_hand}"
