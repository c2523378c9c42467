"""Which branches of an app have a preview, and which previews are to go. Pure.

Level-triggered like the rest: what the branches are now, and when each was pushed, is all that counts.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bot.model.app_state import AppState, RefState
from bot.model.config_action import Action
from bot.model.decisions import Choice, Ref, Refusal, Removal
from bot.model.names import kind_and_name
from bot.model.previews import PREVIEWS
from bot.model.registration import Target
from bot.model.values import Pipeline


def is_allowed(target: Target, state: AppState) -> bool:
    """Return whether the app is registered for a target; `preview-*` stands for all previews."""
    found = target.with_environment(PREVIEWS) if target.is_preview and target not in state.allowed else target
    return found in state.allowed


def left(choices: Sequence[Choice], state: AppState) -> list[Choice]:
    """Return the choices without those for previews that are idle, or too many: the most recently pushed stay."""
    pushed = {found.ref: pushed_of(found) for found in state.refs}
    previews = sorted(
        (choice for choice in choices if choice.target.is_preview and not is_idle(pushed[choice.ref], state)),
        key=lambda choice: (pushed[choice.ref], choice.ref.name),
        reverse=True,
    )
    most = state.previews.most if state.previews else len(previews)
    kept: dict[Target, list[Choice]] = {}
    for choice in previews:
        of_app = kept.setdefault(choice.target.with_environment(PREVIEWS), [])
        if len(of_app) < most:
            of_app.append(choice)
    stays = {choice.target for found in kept.values() for choice in found}
    return [choice for choice in choices if not choice.target.is_preview or choice.target in stays]


def why_left_out(ref: Ref, state: AppState) -> str:
    """Return why a branch that asks for a preview has none."""
    found = next((found for found in state.refs if found.ref == ref), None)
    rules = state.previews
    if rules is None or found is None:
        return "an app has a limited number of previews"
    if is_idle(pushed_of(found), state):
        return f"nothing was pushed to it since {rules.since:%Y-%m-%d} (DPPCTL_PREVIEW_DAYS); push a commit"
    return f"{rules.most} other branches were pushed more recently, and no more have a preview (DPPCTL_PREVIEWS)"


def removals(state: AppState, outcomes: Sequence[Choice | Refusal]) -> Iterator[Removal]:
    """Return the previews that the ops repo has and that no branch asks for any more.

    One whose branch is refused, as for a mistake in its `.dppctl.yaml`, stays as it is.
    """
    stays = {choice.target for choice in outcomes if isinstance(choice, Choice)}
    refused = {outcome.environment for outcome in outcomes if isinstance(outcome, Refusal)}
    refs = {found.ref.name: found.ref for found in state.refs}
    for target, present in sorted(state.targets.items()):
        if not target.is_preview or target in stays or target.environment in refused or not present.is_written:
            continue
        name = present.values.source.ref if present.values else ""
        what = kind_and_name(name) if name else "its branch"
        reason = f"{what} is not there any more"
        if name in state.left_out:
            reason = f"{what} cannot be deployed any more: {state.left_out[name]}"
        elif ref := refs.get(name):
            asks = any(action.branches for action in _actions(state, ref))
            reason = f"{what}: {why_left_out(ref, state) if asks else 'it asks for no preview any more'}"
        yield Removal(target, Ref(name, present.values.source.commit if present.values else ""), reason)


def is_idle(pushed: datetime, state: AppState) -> bool:
    """Return whether a branch was last pushed too long ago to have a preview."""
    return state.previews is not None and pushed < state.previews.since


def pushed_of(found: RefState) -> datetime:
    """Return when a branch was last pushed, as far as that is known."""
    return found.pushed or datetime.fromtimestamp(max(0, min(found.created, 2**36)), UTC)


def without_schedules(pipelines: Sequence[Pipeline]) -> tuple[Pipeline, ...]:
    """Return the pipelines of a preview: the clock starts none of them."""
    named = tuple(Pipeline(id=found.id) for found in pipelines)
    return named[:1] if pipelines and pipelines[0].id == "all" else named


def _actions(state: AppState, ref: Ref) -> list[Action]:
    config = next(found.config for found in state.refs if found.ref == ref)
    if config is None or isinstance(config, str):
        return []
    return [action for _, action in config.triggered_by(state.app, ref.name)]
