"""What should be deployed, decided from plain data: no git, no network, no clock.

A delivery never comes in here. What the app repo's refs are now, and what the ops repo holds now, is all that
counts; so a lost, doubled or late webhook cannot change the outcome. (One thing git does not tell: when a tag
appeared. The store remembers it.)
"""

import re
from collections.abc import Iterable, Set
from datetime import UTC, datetime

from bot.model.app_config import Action
from bot.model.decisions import Choice, Ref, RefState, Refusal, Same, Update
from bot.model.names import RepoPath, short
from bot.model.pipeline_specs import Specs
from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from bot.model.versions import VersionKey, version_key

_SKIP = re.compile(r"(?<!\S)--no-deploy(?!\S)|\[skip deploy\]", re.IGNORECASE)
ALL = "all"


def choose(
    app: RepoPath, allowed: Set[Target], states: Iterable[RefState], baseline: datetime | None = None
) -> list[Choice | Refusal]:
    """For each environment of an app, the ref that it should run: the newest that one of its actions names.

    Each ref speaks through the `.dppctl.yaml` of its own commit, and only about itself. `allowed` is the
    registration: an action outside it is refused. Tags that appeared up to the baseline, when the app was
    registered, say nothing: nobody asked for them to be deployed.
    """
    spoken = (state for state in states if not (baseline and state.appeared and state.appeared <= baseline))
    ordered = sorted(spoken, key=_age)  # the newest last, so that it stays
    tags = [state for state in ordered if state.ref.name.startswith("refs/tags/")]
    outcome: dict[object, Choice | Refusal] = {}
    for state in ordered:
        if isinstance(state.config, str):
            # An old tag's broken file is nobody's concern any more; a branch or the newest tag is.
            if state not in tags[:-1]:
                outcome[state.ref.name] = Refusal(app, "", state.ref, state.config)
        elif state.config:
            for ops, action in state.config.actions(app):
                if action.triggered_by(state.ref.name):
                    outcome[ops, action.environment] = _check(app, ops, action, state.ref, allowed)
    return list(outcome.values())


def plan(
    choice: Choice, specs: Specs, present: Values | None, *, same_files: bool = False, request: int | None = None
) -> Update | Refusal | Same | None:
    """What to do about a choice, given the app's pipelines at that commit and what the ops repo holds.

    `same_files`: the app's folder at the commit that the ops repo holds is the same as at the chosen one. `request` is
    the number of a deployment by hand, which is done in any case. None: the ops repo already says so.
    """
    chosen = _chosen_pipelines(choice, specs)
    if isinstance(chosen, Refusal):
        return chosen
    app, ref = choice.target.app, choice.ref
    source = Source(repository=app.repository, path=app.path, ref=ref.name, commit=ref.commit)
    values = Values(image=None, source=source, pipelines=chosen, request=request)
    if present and request is None:
        if values == present.model_copy(update={"request": None, "image": None}):
            return None  # the image of a commit stays the one that it was deployed with
        if same_files and chosen == present.pipelines:
            where = f"below {app.path}" if app.path else "in the files"
            message = f"nothing changed {where} since {short(present.source.ref)} ({present.source.commit[:12]})"
            return Same(choice.target, message)
    return Update(choice.target, values)


def asks_to_skip(message: str) -> str | None:
    """The words of a commit message that ask not to deploy it."""
    found = _SKIP.search(message)
    return found[0] if found else None


def _check(app: RepoPath, ops: RepoPath, action: Action, ref: Ref, allowed: Set[Target]) -> Choice | Refusal:
    target = Target(app, ops, action.environment)
    if target in allowed:
        return Choice(target, ref, action)
    places = ", ".join(sorted(f"{t.environment} of {t.ops}" for t in allowed if t.app == app)) or "nothing"
    message = f"{app} is not registered for {action.environment} of {ops}; it may deploy to {places}"
    return Refusal(app, action.environment, ref, message)


def _chosen_pipelines(choice: Choice, specs: Specs) -> tuple[Pipeline, ...] | Refusal:
    def refuse(message: str) -> Refusal:
        return Refusal(choice.target.app, choice.target.environment, choice.ref, message)

    wanted, at = choice.action.pipeline, f"{choice.target.app} at {short(choice.ref.name)}"
    known = {pipeline.id: pipeline for pipeline in specs.pipelines}
    if wanted == ALL:
        if specs.generated_by:  # the worker asks dpp for all; named here are those that the clock starts
            return (Pipeline(id=ALL), *(one for one in specs.pipelines if one.schedule))
        return specs.pipelines or refuse(f"{at} has no pipelines; put them into pipeline-spec.yaml")
    ids = [wanted] if isinstance(wanted, str) else list(dict.fromkeys(wanted))
    missing = [name for name in ids if name not in known]
    if missing and not specs.generated_by:
        return refuse(f"{at} has no pipeline {missing[0]}; it has {', '.join(known) or 'none'}")
    return tuple(known.get(name) or Pipeline(id=name) for name in ids)


def _age(state: RefState) -> tuple[datetime, VersionKey, int, str]:
    """By when it appeared; tags that appeared at once by their version, then by git's date."""
    ref = state.ref
    time = state.appeared or datetime.fromtimestamp(max(0, min(ref.created, 2**36)), UTC)
    is_tag = ref.name.startswith("refs/tags/")
    return time, version_key(short(ref.name) if is_tag else ""), ref.created, ref.name
