"""The part of the store that keeps deployments, what happened to each, and its log."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from bot.model.decisions import Refusal, Skip, Update
from bot.model.reports import SyncEvent
from bot.store.database import Database
from bot.store.deployment_changes import CHANGES, append, changed, note, now, supersede
from bot.store.tables import Deployment, DeploymentEvent, Hold, LogChunk, State, Total


@dataclass(frozen=True)
class EnvironmentState:
    """What is where. `running` is the newest deployment that succeeded: a failed one leaves what ran before."""

    app: str
    environment: str
    newest: Deployment | None
    running: Deployment | None
    hold: Hold | None


class Deployments(Database):
    """Deployments."""

    def record_update(self, new: Update, ops_commit: str) -> int:
        """The ops repo holds this update now; its deployment's id. An older one for the environment is superseded."""
        target, source = new.target, new.values.source
        return self.record_commit(ops_commit, str(target.app), target.environment, source.ref, source.commit)

    def record_commit(self, ops_commit: str, app: str, environment: str, ref: str, commit: str) -> int:
        """As `record_update`, when only the ops commit is there to tell."""
        place = (app, environment, ref, commit)
        with self._writes() as session:
            deployment = self._ensure(session, ops_commit, ops_commit, *place)
            there = (DeploymentEvent.deployment_id == deployment.id) & (DeploymentEvent.phase == "committed")
            if not session.scalar(select(DeploymentEvent.id).where(there).limit(1)):
                note(session, deployment, now(), "committed", f"ops repo commit {ops_commit[:12]}")
            changed(session)
            return deployment.id

    def unknown(self, ops_commits: Sequence[str]) -> list[str]:
        """Of commits of an ops repo, the newest first, those that are newer than all that have a deployment.

        Empty when none has: then they are another store's.
        """
        with self._reads() as session:
            for number, ops_commit in enumerate(ops_commits):
                if session.scalar(select(Deployment.id).where(Deployment.key == ops_commit)):
                    return list(ops_commits[:number])
        return []

    def record_refusal(self, refusal: Refusal) -> bool:
        """Remember what may not be deployed. False when the same was refused before."""
        return self._record_end("refused", refusal)

    def record_skip(self, skip: Skip) -> bool:
        """Remember what is not deployed on purpose. False when the same was skipped before."""
        return self._record_end("skipped", skip)

    def record_event(self, report: SyncEvent) -> None:
        """What sync says. An end stays the end, whatever arrives late or twice."""
        with self._writes() as session:
            place = (report.app, report.environment, report.ref, report.commit)
            deployment = self._ensure(session, report.ops_commit, report.ops_commit, *place)
            if report.log:
                append(session, deployment, report.log)
            receipt = report.receipt.model_dump(mode="json") if report.receipt else None
            if report.phase == "scheduled":
                note(session, deployment, report.time, report.phase, report.message, receipt)
            elif report.phase != deployment.state:
                self._follow(session, deployment, report)
                if report.phase in ("succeeded", "failed"):
                    deployment.error = report.message if report.phase == "failed" else None
                    deployment.receipt = receipt
            changed(session)

    def _follow(self, session: Session, deployment: Deployment, report: SyncEvent) -> None:
        note(session, deployment, report.time, report.phase, report.message)
        is_open = not deployment.ended
        if report.phase in ("succeeded", "failed") or (report.phase == "superseded" and is_open):
            deployment.state = report.phase  # also of one that was taken for superseded: it ran after all
        elif is_open and report.phase != "queued":
            deployment.state = "running"

    def append_log(self, deployment_id: int, lines: str) -> None:
        """Keep more of a deployment's log. An unknown one is ignored."""
        with self._writes() as session:
            if deployment := session.get(Deployment, deployment_id, with_for_update=True):
                append(session, deployment, lines)
                changed(session)

    def log(self, deployment_id: int) -> str:
        """The kept part of a deployment's log."""
        chunks = select(LogChunk.text).where(LogChunk.deployment_id == deployment_id).order_by(LogChunk.id)
        with self._reads() as session:
            dropped = session.scalar(select(Deployment.log_dropped).where(Deployment.id == deployment_id))
            kept = "".join(session.scalars(chunks))
        return f"(the first {dropped:,} bytes were dropped)\n{kept}" if dropped else kept

    def deployments(
        self, limit: int = 100, app: str | None = None, environment: str | None = None, commit: str | None = None
    ) -> Sequence[Deployment]:
        """The newest first, without their events."""
        wanted = select(Deployment).order_by(Deployment.id.desc()).limit(limit)
        if app is not None:
            wanted = wanted.where(Deployment.app == app)
        if environment is not None:
            wanted = wanted.where(Deployment.environment == environment)
        if commit is not None:
            wanted = wanted.where(Deployment.commit == commit)
        with self._reads() as session:
            return session.scalars(wanted).all()

    def deployment(self, deployment_id: int) -> Deployment | None:
        """One, with its events."""
        with self._reads() as session:
            return session.get(Deployment, deployment_id, options=[selectinload(Deployment.events)])

    def environments(self) -> list[EnvironmentState]:
        """All that ever had a deployment or is held."""
        newest = select(func.max(Deployment.id)).where(Deployment.environment != "")
        newest = newest.group_by(Deployment.app, Deployment.environment)
        running = newest.where(Deployment.state == "succeeded")
        with self._reads() as session:
            last, good = (
                {(one.app, one.environment): one for one in session.scalars(select(Deployment).where(found))}
                for found in (Deployment.id.in_(newest), Deployment.id.in_(running))
            )
            holds = {(one.app, one.environment): one for one in session.scalars(select(Hold))}
        return [
            EnvironmentState(*place, last.get(place), good.get(place), holds.get(place))
            for place in sorted(last.keys() | holds.keys())
        ]

    def change_number(self) -> int:
        """Grows with every change to deployments, their events and logs, and holds."""
        with self._reads() as session:
            return int(session.scalar(select(Total.value).where(Total.name == CHANGES)) or 0)

    def _record_end(self, state: State, what: Refusal | Skip) -> bool:
        app = str(what.app)
        said = "\n".join([app, what.environment, what.ref.name, what.ref.commit, what.message])
        key = hashlib.sha256(said.encode()).hexdigest()
        with self._reads() as session:  # nearly always, so it takes no turn at writing
            if session.scalar(select(Deployment.id).where(Deployment.key == key)):
                return False
        with self._writes() as session:
            deployment = self._ensure(session, key, None, app, what.environment, what.ref.name, what.ref.commit)
            if deployment.state == state:
                return False
            deployment.state, deployment.error = state, what.message
            note(session, deployment, now(), state, what.message)
            changed(session)
        return True

    def _ensure(
        self, session: Session, key: str, ops_commit: str | None, app: str, environment: str, ref: str, commit: str
    ) -> Deployment:
        """The deployment with this key, made when it is new: the bot and sync may each be the first to tell of it."""
        created = now()
        row = {
            "key": key,
            "app": app,
            "environment": environment,
            "ref": ref,
            "commit": commit,
            "ops_commit": ops_commit,
            "state": "waiting",
            "created": created,
            "changed": created,
            "log_size": 0,
            "log_dropped": 0,
        }
        there = select(Deployment).where(Deployment.key == key).with_for_update()
        if ops_commit and not session.scalar(there) and (built := _building(session, app, environment, ref, commit)):
            built.key, built.ops_commit, built.state = ops_commit, ops_commit, "waiting"
            session.flush()
            supersede(session, built)
            return built
        insert = self._insert(Deployment).values(row).on_conflict_do_nothing()
        made = session.connection().scalar(insert.returning(Deployment.id))
        deployment = session.scalars(there).one()
        if made and ops_commit:
            supersede(session, deployment)
        return deployment


def _building(session: Session, *place: str) -> Deployment | None:
    """The deployment whose image was built for this."""
    app, environment, ref, commit = place
    mine = (Deployment.app == app, Deployment.environment == environment)
    what = (Deployment.ref == ref, Deployment.commit == commit, Deployment.state == "building")
    return session.scalar(select(Deployment).where(*mine, *what).order_by(Deployment.id.desc()).with_for_update())
