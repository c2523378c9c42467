"""Deployments that wait until their files have run well in another environment; there is no ops commit for them yet."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from bot.database import Database
from bot.limits import MAX_TREE_RUNS
from bot.model.app_state import TreeRun
from bot.model.decisions import GateWait
from bot.store.deployment_changes import WAITS_FOR_GATE, add_event, ensure, last_event, note_facts
from bot.store.tables import ENDED, Deployment
from bot.store.totals import count_change


class Gates:
    """Deployments in the state `waiting` whose `gate` is the environment that they wait for."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def runs(self, app: str, environment: str, tree: str) -> Sequence[TreeRun]:
        """Return the newest deployments of these files to an environment, newest first."""
        of_tree = select(Deployment.id, Deployment.state, Deployment.state.in_(ENDED))
        place = (Deployment.app == app) & (Deployment.environment == environment) & (Deployment.tree == tree)
        wanted = of_tree.where(place).order_by(Deployment.id.desc()).limit(MAX_TREE_RUNS)
        with self._database.read() as session:
            return [TreeRun(*row) for row in session.execute(wanted)]

    def wait(self, wait: GateWait) -> bool:
        """Record what waits, and what for; return False when the same was said before.

        Older ones that wait for the same environment are superseded; what runs there goes on.
        """
        key = _key(wait)
        same = select(Deployment).where(Deployment.key == key, WAITS_FOR_GATE)
        with self._database.read() as session:  # nearly always, so it takes no turn at writing
            found = session.scalar(same)
            if found and last_event(session, found) == ("waiting", wait.message):
                return False
        with self._database.write() as session:
            ended = session.scalar(select(Deployment).where(Deployment.key == key, ~WAITS_FOR_GATE).with_for_update())
            if ended:
                ended.key = f"{key} {ended.id}"  # the key is for the one that waits
                session.flush()
            target = wait.target
            deployment = ensure(session, key, None, str(target.app), target.environment, wait.ref.name, wait.ref.commit)
            deployment.gate = wait.gate
            note_facts(session, deployment, wait.facts)
            add_event(session, deployment, datetime.now(UTC), "waiting", wait.message)
            older = (Deployment.id != deployment.id) & (Deployment.environment == deployment.environment)
            _supersede(session, str(target.app), older, f"by {wait.ref.commit[:12]}")
            count_change(session)
        return True

    def keep(self, app: str, environments: Collection[str], wanted: Collection[tuple[str, str, str]]) -> None:
        """End what waits in these environments of an app, but for what is `wanted`: environment, ref and commit."""
        waiting = select(Deployment).where(Deployment.app == app, WAITS_FOR_GATE)
        with self._database.read() as session:
            over = [
                found.id
                for found in session.scalars(waiting.where(Deployment.environment.in_(environments)))
                if (found.environment, found.ref, found.commit) not in wanted
            ]
        if over:
            with self._database.write() as session:
                _supersede(session, app, Deployment.id.in_(over), "something else is to run there")
                count_change(session)

    def news(self) -> Mapping[str, str]:
        """Return the apps that have deployments which wait, each with what changes when it is to be looked at again.

        That is when something else waits, or when a deployment ended in an environment that is waited for.
        """
        there = aliased(Deployment)
        is_there = and_(
            there.app == Deployment.app, there.environment == Deployment.gate, there.state.in_(("succeeded", "failed"))
        )
        wanted = (
            select(Deployment.app, func.max(Deployment.id), func.max(there.changed), func.count(there.id))
            .outerjoin(there, is_there)
            .where(WAITS_FOR_GATE)
            .group_by(Deployment.app)
        )
        with self._database.read() as session:
            return {app: repr(tuple(state)) for app, *state in session.execute(wanted)}


def _key(wait: GateWait) -> str:
    names = ["gate", str(wait.target.app), wait.target.environment, wait.ref.name, wait.ref.commit, wait.gate]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _supersede(session: Session, app: str, which: ColumnElement[bool], message: str) -> None:
    over = select(Deployment).where(Deployment.app == app, WAITS_FOR_GATE, which)
    for found in session.scalars(over.with_for_update()):
        found.state, found.gate, found.key = "superseded", None, f"{found.key} {found.id}"
        add_event(session, found, datetime.now(UTC), "superseded", message)
