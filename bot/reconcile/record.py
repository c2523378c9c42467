"""Apply decisions that write nothing to an ops repo: what they say is recorded in the store, and logged once."""

from bot.logs import get_logger
from bot.model.decisions import BeginHold, Decision, EndHold, Refusal, Skip, UpToDate
from bot.model.names import short
from bot.store.store import Store

_log = get_logger("dppctl.bot")


def record(decision: Decision, store: Store) -> None:
    """Record a decision by which nothing is deployed."""
    match decision:
        case UpToDate(target):
            store.deployments.resolve(str(target.app), target.environment)
        case BeginHold(target, reason, ops_commit):
            store.holds.set(str(target.app), target.environment, reason, ops_commit=ops_commit)
            _log.warning("held", app=target.app, environment=target.environment, ops_commit=ops_commit, reason=reason)
        case EndHold(target):
            store.holds.release(str(target.app), target.environment)
            _log.info("hold ended", app=target.app, environment=target.environment)
        case Skip(app, environment, ref, message):
            if decision.is_news and store.deployments.skip(decision):
                _log.info("skipped", app=app, environment=environment, ref=short(ref.name), reason=message)
        case Refusal(app, environment, ref, message):
            if store.deployments.refuse(decision):
                _log.warning("refused", app=app, environment=environment, ref=short(ref.name), reason=message)
