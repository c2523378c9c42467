"""Record decisions by which nothing is deployed, as deployments that begin and end in one state."""

import hashlib
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from bot.database import Database
from bot.model.decisions import Refusal, Skip
from bot.store.deployment_changes import WAITS_FOR_GATE, add_event, ensure, note_facts, take_over
from bot.store.tables import Deployment, DeploymentEvent
from bot.store.totals import count_change


def record_decision(database: Database, state: Literal["refused", "skipped"], decision: Refusal | Skip) -> bool:
    """Record what is not deployed; return False when the same was recorded before, and still is so.

    It is recorded anew when the environment has had something else meanwhile. What waited for another environment with
    the same commit becomes it.
    """
    app, ref = str(decision.app), decision.ref
    text = "\n".join([app, decision.environment, ref.name, ref.commit, decision.message])
    key = hashlib.sha256(text.encode()).hexdigest()
    before = select(Deployment).where(Deployment.key == key)
    with database.read() as session:  # nearly always, so it takes no turn at writing
        if (found := session.scalar(before)) and _is_still_so(session, found):
            return False
    with database.write() as session:
        if found := session.scalar(before.with_for_update()):
            if _is_still_so(session, found):
                return False
            found.key = f"{key} {found.id}"  # the key is for the one that holds now
            session.flush()
        take_over(session, key, app, decision.environment, ref.name, ref.commit)
        deployment = ensure(session, key, None, app, decision.environment, ref.name, ref.commit)
        note_facts(session, deployment, None)
        deployment.state, deployment.error = state, decision.message
        add_event(session, deployment, datetime.now(UTC), state, decision.message)
        count_change(session)
    return True


def _is_still_so(session: Session, ended: Deployment) -> bool:
    """Tell whether what was refused or skipped is the newest that happened, apart from deployments by hand."""
    by_hand = exists().where(DeploymentEvent.deployment_id == Deployment.id, DeploymentEvent.phase == "requested")
    newer = select(Deployment.id).where(
        Deployment.app == ended.app,
        Deployment.environment == ended.environment,
        Deployment.id > ended.id,
        Deployment.ops_commit.is_not(None) | WAITS_FOR_GATE,
        ~by_hand,
    )
    return ended.state != "resolved" and session.scalar(newer.limit(1)) is None
