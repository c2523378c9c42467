"""Apply decisions that write nothing to an ops repo: what they say is recorded in the store, and logged once."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from bot.logs import get_logger
from bot.model.app_state import AppState
from bot.model.decisions import BeginHold, Choice, Decision, EndHold, GateWait, Refusal, Removal, Skip, Update, UpToDate
from bot.model.names import RepoPath, short
from bot.model.registration import Target
from bot.store.store import Store

_log = get_logger("dppctl.bot")


def record(decision: Decision, store: Store) -> None:
    """Record a decision by which nothing is deployed."""
    match decision:
        case UpToDate(target):
            store.deployments.resolve(str(target.app), target.environment)
        case BeginHold(target, reason, ops_commit, author):
            store.holds.set(str(target.app), target.environment, reason, ops_commit=ops_commit, login=author)
            _log.warning("held", app=target.app, environment=target.environment, ops_commit=ops_commit, reason=reason)
        case EndHold(target):
            store.holds.release(str(target.app), target.environment)
            _log.info("hold ended", app=target.app, environment=target.environment)
        case GateWait(target, ref, _, message):
            if store.gates.wait(decision):
                _log.info("waits", app=target.app, environment=target.environment, ref=short(ref.name), reason=message)
        case Skip(app, environment, ref, message):
            if decision.is_news and store.deployments.skip(decision):
                _log.info("skipped", app=app, environment=environment, ref=short(ref.name), reason=message)
        case Refusal(app, environment, ref, message):
            if store.deployments.refuse(decision):
                _log.warning("refused", app=app, environment=environment, ref=short(ref.name), reason=message)


def remove(removal: Removal, store: Store) -> None:
    """Record that the ops repo does not name a preview any more."""
    store.previews.end(str(removal.target.app), removal.target.environment, removal.reason)
    _log.info("preview removed", reason=removal.reason)


def keep_previews(
    state: AppState, outcomes: Sequence[Choice | Refusal], targets: Iterable[Target], store: Store
) -> None:
    """Record which previews of an app there are, or are to be, as a look finds them.

    So what a kill kept from being recorded of one that went is recorded by the next look.
    """
    chosen = {choice.target: choice for choice in outcomes if isinstance(choice, Choice)}
    for pattern in targets:
        if not pattern.is_pattern:
            continue
        there: dict[str, tuple[str, str | None]] = {}
        for target, present in state.targets.items():
            if target.is_preview and target.ops == pattern.ops:
                held = present.values.source.ref if present.values else ""
                choice = chosen.get(target)
                there[target.environment] = (choice.ref.name, choice.preview) if choice else (held, None)
        store.previews.keep(str(state.app), str(pattern.ops), there)


def keep_waiting(state: AppState, targets: Iterable[Target], decisions: Iterable[Decision], store: Store) -> bool:
    """End what waited for another environment in `targets` and does not any more; note what commits are.

    Return whether anything waits: then the app is to be looked at again, as another environment decides.
    """
    going_on = [found for found in decisions if isinstance(found, Update | GateWait)]
    wanted = [(found.target.environment, found.ref.name, found.ref.commit) for found in going_on]
    store.gates.keep(str(state.app), {target.environment for target in targets}, wanted)
    store.deployments.describe(str(state.app), {name: commit.facts for name, commit in state.commits.items()})
    return any(isinstance(found, GateWait) for found in going_on)


def end_holds(store: Store, owns: Callable[[str], bool]) -> set[str]:
    """End the holds whose time is over; return the repositories (OWNER/REPO) of their apps, to look at.

    `owns`: whether a repository is this bot's to look at.
    """
    found = set()
    for hold in store.holds.over(datetime.now(UTC)):
        repository = RepoPath.parse(hold.app).repository
        if owns(repository) and store.holds.release(hold.app, hold.environment):
            _log.info("hold ended", app=hold.app, environment=hold.environment, until=hold.until)
            found.add(repository)
    return found
