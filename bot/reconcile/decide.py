"""What should be deployed, decided from plain data: no git, no network, no clock.

A delivery never comes in here. What the app repo's refs are now, and what the ops repo holds now, is all that
counts; so a lost, doubled or late webhook cannot change the outcome. (One thing git does not tell: when a tag
appeared. The store remembers it.)
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.data.compared import needed
from bot.images.decide import ImagePolicy
from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, ForeignChange, HoldState, RefState, TargetState
from bot.model.decisions import BeginHold, Choice, Decision, EndHold, Ref, Refusal, SameFiles, Skip, Update, UpToDate
from bot.model.file_names import CONFIG_FILE
from bot.model.names import short
from bot.model.previews import PREVIEWS, is_preview
from bot.model.registration import Target
from bot.model.values import Values
from bot.model.versions import VersionKey, version_key
from bot.reconcile.gate import pass_by_hand, pass_gate
from bot.reconcile.previews import is_allowed, is_idle, left, pushed_of, removals
from bot.reconcile.values_of_choices import ALL, chosen_pipelines, values_for

_SKIP = re.compile(r"(?<!\S)--no-deploy(?!\S)|\[skip deploy\]", re.IGNORECASE)


def decide(state: AppState, policy: ImagePolicy) -> Iterator[Decision]:
    """Decide what to do about each environment of the app; nothing about those that run what they should.

    Environments whose ops repo could not be read (they are not in `state.targets`) are left alone.
    """
    outcomes = choose(state)
    refused = {outcome.environment for outcome in outcomes if isinstance(outcome, Refusal)}
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            yield outcome
        elif outcome.target in state.targets:
            present, commit = state.targets[outcome.target], state.commits[outcome.ref.commit]
            decisions = [_completed(found, state) for found in _decide_target(outcome, present, commit, policy)]
            decisions = [pass_gate(found, outcome, state, outcomes) for found in decisions]
            yield from decisions
            is_as_it_should_be = all(isinstance(decision, SameFiles | EndHold) for decision in decisions)
            if is_as_it_should_be and outcome.target.environment not in refused:
                yield UpToDate(outcome.target)
    yield from removals(state, outcomes)


def due(state: AppState, policy: ImagePolicy) -> list[Target]:
    """Return the environments whose values the bot would write anew, were nothing in the way of that."""
    found = []
    for choice in choose(state):
        if isinstance(choice, Choice) and choice.target in state.targets:
            present, commit = state.targets[choice.target], state.commits[choice.ref.commit]
            if isinstance(plan(choice, commit, present, in_image=policy.used_for(commit.config)), Update):
                found.append(choice.target)
    return found


def decide_manual(choice: Choice | Refusal, state: AppState, request: int) -> Update | Refusal:
    """Decide on a deployment by hand, which is done whatever runs there: `request` is its number."""
    if isinstance(choice, Refusal):
        return choice
    commit = state.commits[choice.ref.commit]
    pipelines = chosen_pipelines(choice, commit.specs)
    if isinstance(pipelines, Refusal):
        return pipelines
    update = Update(choice.target, values_for(choice, pipelines, request), facts=commit.facts)
    decision = _completed(pass_by_hand(update, choice, state), state)
    assert isinstance(decision, Update | Refusal)  # noqa: S101 (for mypy)
    return decision


def choose(state: AppState, *, with_baseline: bool = False) -> list[Choice | Refusal]:
    """Choose for each environment of an app the ref that it should run; refuse what cannot be or may not be.

    Each ref speaks through the `.dppctl.yaml` of its own commit, and only about itself. An action outside the
    registration is refused. A branch, which says what holds now, counts before tags, which say what held once; two
    branches for one environment are refused, as only a person knows which is meant. Of tags the newest counts. Those
    of the baseline, which were there when the app was registered, say nothing, as nobody asked for them to be deployed;
    `with_baseline` counts them too.
    """
    old: frozenset[Ref] = frozenset() if with_baseline else state.baseline
    counting = (ref_state for ref_state in state.refs if ref_state.ref not in old)
    ordered = sorted(counting, key=_age)  # the newest tag last, so that it stays
    tags = [ref_state for ref_state in ordered if _is_tag(ref_state.ref)]
    app, claims = state.app, dict[Target, list[Choice]]()
    refusals: dict[object, Refusal] = {}
    for ref_state in ordered:
        ref, config = ref_state.ref, ref_state.config
        if isinstance(config, str):
            # An old tag's broken file is nobody's concern any more; a branch or the newest tag is.
            if ref_state not in tags[:-1]:
                for environment in _run_by(state, ref) or [""]:
                    if not (is_preview(environment) and is_idle(pushed_of(ref_state), state)):
                        refusals[ref.name, environment] = Refusal(app, environment, ref, config)
        elif config:
            for ops, action in config.triggered_by(app, ref.name):
                target = Target(app, ops, action.environment_for(ref.name))
                if is_allowed(target, state):
                    choice = Choice(target, ref, action.pipeline, action.preview, config.expected(action))
                    claims.setdefault(target, []).append(choice)
                elif action.branches:  # one message for all branches
                    pattern = target.with_environment(PREVIEWS)
                    refusals[pattern, True] = Refusal(app, PREVIEWS, ref, not_registered(state, pattern))
                else:  # of tags the newest one's stays
                    message = not_registered(state, target)
                    refusals[target, _is_tag(ref) or ref.name] = Refusal(app, target.environment, ref, message)
    outcomes = [outcome for claimed in claims.values() for outcome in _choose_claim(claimed)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    return [*left([choice for choice in outcomes if isinstance(choice, Choice)], state), *refused, *refusals.values()]


def choose_named(target: Target, named: RefState) -> Choice | Refusal:
    """Choose a ref that a person names for an environment.

    Its pipelines are those that its `.dppctl.yaml` says for the environment, whatever triggers that; or all.
    """
    config = named.config
    if isinstance(config, str):
        return Refusal(target.app, target.environment, named.ref, config)
    config = config or AppConfig()
    for ops, action in config.actions(target.app):
        name = PREVIEWS if action.branches else action.environment
        if (ops, name) == (target.ops, PREVIEWS if target.is_preview else target.environment):
            return Choice(target, named.ref, action.pipeline, action.preview, config.expected(action))
    return Choice(target, named.ref, ALL, expect=config.expected(None))


def plan(
    choice: Choice, commit: CommitState, present: TargetState, *, in_image: bool = False
) -> Update | Refusal | SameFiles | None:
    """Decide about a choice, given the app at that commit and what the ops repo holds.

    `in_image`: the app runs in an image there. None: the ops repo already says so.
    """
    pipelines = chosen_pipelines(choice, commit.specs)
    if isinstance(pipelines, Refusal):
        return pipelines
    values, app = values_for(choice, pipelines), choice.target.app
    held = present.values
    if held and (held.image is not None) == in_image:  # otherwise: from now on with an image, or without
        # The image of a commit stays the one that it was deployed with, and what others have now is no reason to run.
        if values == held.model_copy(update={"request": None, "image": None, "accept": False, "compared": ()}):
            return None
        same_files = bool(commit.tree) and present.tree == commit.tree and held.source.path == app.path
        if same_files and pipelines == held.pipelines and held.source.repository == app.repository:
            where = f"below {app.path}" if app.path else "in the files"
            message = f"nothing changed {where} since {short(held.source.ref)} ({held.source.commit[:12]})"
            return SameFiles(choice.target, choice.ref, message)
    return Update(choice.target, values, facts=commit.facts)


def is_over(hold: HoldState, ref: Ref, tree: str) -> bool:
    """Tell whether a hold has ended by itself: `ref`, with the files `tree`, is what would be deployed now."""
    return hold.until_ref is not None and (hold.until_ref, hold.until_tree) != (ref.name, tree)


def would_be_undone_by(choice: Choice, values: Values, state: AppState, policy: ImagePolicy) -> tuple[str, str] | None:
    """Return by what values that a person chose would be undone at the next look: a ref, and the tree of its files.

    `choice`: what would be deployed without being asked. A hold instead of it keeps the values until it is something
    else. None: they stay without one.
    """
    commit = state.commits[choice.ref.commit]
    if plan(choice, commit, TargetState(values), in_image=policy.used_for(commit.config)) is None:
        return None
    return choice.ref.name, commit.tree


def not_registered(state: AppState, target: Target) -> str:
    """Return the message about a target that the registration does not allow."""
    allowed = ", ".join(sorted(f"{t.environment} of {t.ops}" for t in state.allowed if t.app == state.app))
    wanted = f"{target.environment} of {target.ops}"
    if target.is_pattern:
        what = f"{wanted}, so that branches have no previews; add {PREVIEWS} to its environments in apps.yaml"
        return f"{state.app} is not registered for {what}"
    return f"{state.app} is not registered for {wanted}; it may deploy to {allowed or 'nothing'}"


def asks_to_skip(message: str) -> str | None:
    """Return the words of a commit message that ask not to deploy it."""
    found = _SKIP.search(message)
    return found[0] if found else None


def _decide_target(
    choice: Choice, present: TargetState, commit: CommitState, policy: ImagePolicy
) -> Iterator[Decision]:
    hold, changed = present.hold, present.changed
    if hold and (is_over(hold, choice.ref, commit.tree) or (hold.ops_commit and not changed)):
        hold = None  # also when there is nothing to deploy
        yield EndHold(choice.target)
    if changed and not (hold and (hold.is_by_person or hold.ops_commit == changed.ops_commit)):
        begin = BeginHold(choice.target, _changed_by(changed, choice.target), changed.ops_commit, changed.author)
        hold = HoldState(begin.reason, ops_commit=begin.ops_commit)
        yield begin
    decision: Decision | None = plan(choice, commit, present, in_image=policy.used_for(commit.config))
    if isinstance(decision, Update):
        if present.is_lost and present.values:
            gone = f"{present.values.source.commit[:12]}, which it was to run, is on no branch or tag any more and gone"
            decision = replace(decision, note=f"{gone}; {short(choice.ref.name)} is deployed as it is now")
        decision = _skip(choice, commit.message, hold) or decision
    if decision:
        yield decision


def _completed(decision: Decision, state: AppState) -> Decision:
    """Return the decision; an update with what its data is compared with, or a refusal where no signature counts."""
    if not isinstance(decision, Update):
        return decision
    if why := state.untrusted.get(decision.ref):
        return Refusal(state.app, decision.target.environment, decision.ref, why)
    compared = needed(decision.values.expect, state.data)
    return replace(decision, values=decision.values.model_copy(update={"compared": compared}))


def _changed_by(changed: ForeignChange, target: Target) -> str:
    """Return the reason of a hold for a change by others, and what ends it."""
    return (
        f"ops repo commit {changed.ops_commit[:12]} of {changed.author} ({changed.subject}) changed what dppctl wrote; "
        f"`dppctl release {target.app} {target.environment}` takes dppctl's values again"
    )


def _skip(choice: Choice, message: str, hold: HoldState | None) -> Skip | None:
    """Return what is in the way of an update that would be due."""
    app, environment = choice.target.app, choice.target.environment
    if hold:
        return Skip(app, environment, choice.ref, f"held: {hold.reason}", is_news=hold.until_ref is None)
    if words := asks_to_skip(message):
        return Skip(app, environment, choice.ref, f"its commit message says {words}")
    return None


def _choose_claim(claims: Sequence[Choice]) -> list[Choice] | list[Refusal]:
    """Return the choice among those for one environment, the newest last; or a refusal for each of several branches."""
    branches = [claim for claim in claims if not _is_tag(claim.ref)]
    if len(branches) < 2:
        return branches or [claims[-1]]
    target, names = claims[0].target, ", ".join(sorted(short(claim.ref.name) for claim in branches))
    says = f"each by its own {target.app.file(CONFIG_FILE)}"
    message = f"{len(branches)} branches are for {target.environment}, {says}: {names}; leave it to one of them"
    return [Refusal(target.app, target.environment, claim.ref, message) for claim in branches]


def _run_by(state: AppState, ref: Ref) -> list[str]:
    """Return the environments that run a ref, or would run this tag by what the tag says that they run now.

    Where something else was deployed by hand, what it stands in for counts.
    """
    found = []
    known = {ref_state.ref.name: ref_state.config for ref_state in state.refs}
    for target, present in sorted(state.targets.items()):
        held = present.values.source.ref if present.values else ""
        if present.hold and present.hold.until_ref:
            held = present.hold.until_ref
        config = known.get(held) if _is_tag(ref) and held.startswith("refs/tags/") else None
        actions = config.actions(state.app) if isinstance(config, AppConfig) else ()
        by_its_tag = {action.environment for _, action in actions if action.triggered_by(ref.name)}
        if held == ref.name or target.environment in by_its_tag:
            found.append(target.environment)
    return found


def _is_tag(ref: Ref) -> bool:
    return ref.name.startswith("refs/tags/")


def _age(state: RefState) -> tuple[datetime, VersionKey, int, str]:
    """Order refs by when they appeared; tags that appeared at once by their version, then by git's date."""
    ref = state.ref
    time = state.appeared or datetime.fromtimestamp(max(0, min(state.created, 2**36)), UTC)
    return time, version_key(short(ref.name) if _is_tag(ref) else ""), state.created, ref.name
