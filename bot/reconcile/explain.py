"""Why a branch or a tag that was pushed deploys nothing, from plain data: no git, no network.

An app decides by its `.dppctl.yaml` which refs are deployed. What it says of a ref that fits none of its actions, or
lost to another one, is told here; what is decided about the chosen refs is told by `describe`.
"""

from collections.abc import Iterable, Sequence

from bot.limits import MAX_TOLD_ACTIONS
from bot.model.app_config import AppConfig
from bot.model.app_state import AppState
from bot.model.config_action import Action
from bot.model.decisions import Choice, Decision, GateWait, Refusal, SameFiles, Skip
from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath, kind_and_name, ref_problem, short
from bot.model.previews import PREVIEWS
from bot.model.registration import Target
from bot.reconcile.decide import not_registered
from bot.reconcile.previews import is_allowed, why_left_out


def describe(decision: Decision) -> str | None:
    """Return why a decision deploys nothing, for the person who pushed; None: there is nothing to say."""
    match decision:
        case SameFiles(target, _, message):
            return f"{target.environment}: {message}"
        case GateWait(target, _, _, message):
            return f"{target.environment}: {message}"
        case Skip(_, environment, _, message):
            return f"{environment}: not deployed, {message}"
        case Refusal(_, environment, _, message):
            return f"{environment}: refused, {message}" if environment else f"refused, {message}"
    return None


def explain(state: AppState, name: str, outcomes: Sequence[Choice | Refusal]) -> list[str]:
    """Return why the ref of this full name deploys nothing, a line each; empty when it deploys all that it could.

    `outcomes`: what `choose` returned for the state.
    """
    if not name.startswith(("refs/heads/", "refs/tags/")):
        return [f"{name} is neither a branch nor a tag"]
    what = kind_and_name(name)
    if problem := state.left_out.get(name) or ref_problem(name):
        return [f"{what} cannot be deployed: {problem}"]
    found = next((ref_state for ref_state in state.refs if ref_state.ref.name == name), None)
    if found is None:
        return [f"{what} is not there any more{_still_runs(state, name, outcomes)}"]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal) and outcome.ref.name == name]
    refused = [line for refusal in refusals if (line := describe(refusal))]
    config, file = found.config, state.app.file(CONFIG_FILE)
    if isinstance(config, str):
        return refused or [f"{what} is refused: {config}"]
    if config is None:
        return [
            f"{what}: there is no {file} at {found.ref.commit[:12]}, so nothing is deployed; `dppctl init` writes one"
        ]
    actions = list(config.actions(state.app))
    if not actions:
        return [_without_actions(state.app, config, what)]
    fitting = config.triggered_by(state.app, name)
    if not fitting:
        return [f"no action of {file} fits {what}: {_list(state, name, (action for _, action in actions))}"]
    targets = [Target(state.app, ops, action.environment_for(name)) for ops, action in fitting]
    lost = (_lost(state, target, name, outcomes) for target in targets)
    return [*refused, *(line for line in lost if line)]


def _without_actions(app: RepoPath, config: AppConfig, what: str) -> str:
    file = app.file(CONFIG_FILE)
    others = sorted({entry.app_repo_path for entry in config.continuous_deployment})
    if others:
        return f"{what}: continuousDeployment in {file} is for {', '.join(others[:MAX_TOLD_ACTIONS])}, not for {app}"
    return f"{what}: {file} has no continuousDeployment, which says what a push deploys; `dppctl init` writes it"


def _list(state: AppState, name: str, actions: Iterable[Action]) -> str:
    """List actions, and what is nearly right about each: `branch master to staging (there is no such branch)`."""
    branches = {ref_state.ref.name for ref_state in state.refs}
    shown = [
        f"{_trigger(action)} to {action.environment or 'a preview'}{_hint(action, name, branches)}"
        for action in actions
    ]
    more = len(shown) - MAX_TOLD_ACTIONS
    return ", ".join(shown[:MAX_TOLD_ACTIONS]) + (f" and {more} more" if more > 0 else "")


def _trigger(action: Action) -> str:
    if action.branch is not None:
        return f"branch {action.branch}"
    if action.branches is not None:
        return f"branches {action.branches}"
    return f"tags {action.tags}" if isinstance(action.tags, str) else "any tag"


def _hint(action: Action, name: str, known: set[str]) -> str:
    """Return what is nearly right about an action that a ref does not trigger, in brackets; "" when nothing is."""
    if (pattern := action.branch or action.branches or action.tags) is True:
        return ""
    is_tag = name.startswith("refs/tags/")
    if action.triggered_by(f"refs/{'heads' if is_tag else 'tags'}/{short(name)}") and str(pattern).strip("*"):
        return f" ({short(name)} is a {'tag' if is_tag else 'branch'})"
    key = "branch" if action.branch else "branches" if action.branches else "tags"
    folded = action.model_copy(update={key: str(pattern).casefold()})
    if folded.triggered_by(name.casefold()):
        return " (upper and lower case count)"
    if action.branch is not None and f"refs/heads/{action.branch}" not in known:
        return " (there is no such branch)"
    return ""


def _lost(state: AppState, target: Target, name: str, outcomes: Sequence[Choice | Refusal]) -> str | None:
    """Return why this ref, which an action names for the environment, was not chosen; None: it was, or is refused."""
    begin = f"{target.environment}: not deployed, "
    of_environment = [outcome for outcome in outcomes if _environment(outcome) == target.environment]
    if any(outcome.ref.name == name for outcome in of_environment):
        return None
    if not is_allowed(target, state):
        return begin + not_registered(state, target.with_environment(PREVIEWS) if target.is_preview else target)
    if target.is_preview:
        return begin + why_left_out(next(found.ref for found in state.refs if found.ref.name == name), state)
    for outcome in of_environment:
        other = kind_and_name(outcome.ref.name)
        if outcome.ref.name.startswith("refs/heads/"):
            return (
                f"{begin}{other} is for it too, by its own {target.app.file(CONFIG_FILE)}; branches count before tags"
            )
        if isinstance(outcome, Choice):
            return f"{begin}{other} appeared later, or has the higher version"
    by_hand = f"dppctl deploy {target.app} {target.environment} --ref {short(name)}"
    return f"{begin}{kind_and_name(name)} was there before the app was registered; `{by_hand}` deploys it"


def _environment(outcome: Choice | Refusal) -> str:
    return outcome.environment if isinstance(outcome, Refusal) else outcome.target.environment


def _still_runs(state: AppState, name: str, outcomes: Sequence[Choice | Refusal]) -> str:
    """Tell which environments go on with what a deleted ref brought, as nothing else is for them."""
    chosen = {outcome.target for outcome in outcomes if isinstance(outcome, Choice)}
    kept = [
        target.environment
        for target, present in sorted(state.targets.items())
        if present.values and present.values.source.ref == name and target not in chosen and not target.is_preview
    ]
    return f"; {', '.join(kept)} still runs what it brought" if kept else ""
