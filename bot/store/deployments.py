"""Deployments, what happened to each, and its log."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import case, exists, func, select
from sqlalchemy.orm import Session, aliased, defer, selectinload

from bot.database import Database
from bot.model.decisions import CommitFacts, Refusal, Skip, Update
from bot.model.reports import SyncEvent
from bot.store.decision_records import record_decision
from bot.store.deployment_changes import (
    add_event,
    append_log,
    drop_old_progress,
    ensure,
    note_facts,
    note_kept,
    note_request,
)
from bot.store.preview_tables import Preview
from bot.store.run_records import fold_scheduled, record_end, record_scheduled
from bot.store.schedules import note_schedules
from bot.store.tables import Deployment, DeploymentEvent, Hold, LogChunk
from bot.store.totals import count_change

# How lists read deployments: without their events, and without the two large documents that each has.
LISTED = (defer(Deployment.receipt), defer(Deployment.change))


@dataclass(frozen=True)
class EnvironmentSummary:
    """What an environment of an app has. `running` is the newest deployment that succeeded: a failed one leaves it."""

    app: str
    environment: str
    newest: Deployment | None
    running: Deployment | None
    hold: Hold | None


def digest_of(values: str) -> str:
    """Return a digest (hex) of a values file."""
    return hashlib.sha256(values.encode()).hexdigest()


class Deployments:
    """Deployments: what is recorded of each, and how they are found."""

    def __init__(self, database: Database) -> None:
        """Keep deployments in `database`."""
        self._database = database

    def record(self, update: Update, ops_commit: str) -> int:
        """Record that the ops repo holds an update. Return its deployment's id.

        An older deployment for the environment that is open is superseded.
        """
        source, target = update.values.source, update.target
        return self.record_commit(
            ops_commit,
            str(target.app),
            target.environment,
            source.ref,
            source.commit,
            request=update.asked.request if update.asked else update.values.request,
            origin=update.asked.origin if update.asked else "",
            note=update.note,
            values_digest=digest_of(update.values.to_yaml()),
            facts=update.facts,
        )

    def record_commit(
        self,
        ops_commit: str,
        app: str,
        environment: str,
        ref: str,
        commit: str,
        *,
        request: int | None = None,
        origin: str = "",
        note: str = "",
        values_digest: str | None = None,
        facts: CommitFacts | None = None,
    ) -> int:
        """Record an ops commit as `record` does, from what the commit itself says.

        request: of whom by hand; origin: the ops commit that it goes back to; note: what else to say of it;
        values_digest: of the values file, and facts: of the commit, where they are known.
        """
        with self._database.write() as session:
            deployment = ensure(session, ops_commit, ops_commit, app, environment, ref, commit)
            deployment.values_digest = values_digest or deployment.values_digest
            note_facts(session, deployment, facts)
            if request is not None:
                note_request(session, deployment, request)
            if origin:
                deployment.origin_id = session.scalar(select(Deployment.id).where(Deployment.key == origin))
            committed = (DeploymentEvent.deployment_id == deployment.id) & (DeploymentEvent.phase == "committed")
            if not session.scalar(select(DeploymentEvent.id).where(committed).limit(1)):
                add_event(
                    session,
                    deployment,
                    datetime.now(UTC),
                    "committed",
                    "; ".join(filter(None, [f"ops repo commit {ops_commit[:12]}", note])),
                )
            count_change(session)
            return deployment.id

    def describe(self, app: str, commits: Mapping[str, CommitFacts]) -> None:
        """Keep what is known of commits with the app's deployments of them, where it is not yet: after a crash, say."""
        unknown = (Deployment.app == app) & Deployment.commit.in_(commits) & Deployment.tree.is_(None)
        with self._database.read() as session:  # nearly always there is none, so it takes no turn at writing
            if session.scalar(select(Deployment.id).where(unknown).limit(1)) is None:
                return
        with self._database.write() as session:
            for deployment in session.scalars(select(Deployment).where(unknown).with_for_update()):
                note_facts(session, deployment, commits[deployment.commit])

    def failed(self) -> set[tuple[str, str, str]]:
        """Return app, environment and commit of each newest deployment of an environment that failed."""
        newer = aliased(Deployment)
        place = (newer.app == Deployment.app) & (newer.environment == Deployment.environment)
        is_over = exists().where(place, newer.id > Deployment.id, newer.ops_commit.is_not(None))
        wanted = select(Deployment.app, Deployment.environment, Deployment.commit)
        wanted = wanted.where(Deployment.state == "failed", Deployment.ops_commit.is_not(None), ~is_over)
        with self._database.read() as session:
            return {(app, environment, commit) for app, environment, commit in session.execute(wanted)}

    def last_written(self, app: str, environment: str) -> tuple[str, str | None] | None:
        """Return the newest ops commit that the bot made for an environment, as far as it was recorded, or None.

        With it comes the digest of the values file in it, where that is known. Sync reports on commits of others too;
        they are none of the bot's.
        """
        by_bot = exists().where(DeploymentEvent.deployment_id == Deployment.id, DeploymentEvent.phase == "committed")
        of_environment = (Deployment.app == app) & (Deployment.environment == environment)
        newest = select(Deployment.ops_commit, Deployment.values_digest).where(of_environment, by_bot)
        with self._database.read() as session:
            found = session.execute(newest.order_by(Deployment.id.desc()).limit(1)).first()
            return (found[0], found[1]) if found and found[0] else None

    def unrecorded(self, ops_commits: Sequence[str]) -> list[str]:
        """Return the ops commits, newest first as given, that came after the last one with a deployment.

        Empty when none has: then they are another store's.
        """
        with self._database.read() as session:
            for number, ops_commit in enumerate(ops_commits):
                if session.scalar(select(Deployment.id).where(Deployment.key == ops_commit)):
                    return list(ops_commits[:number])
        return []

    def refuse(self, refusal: Refusal) -> bool:
        """Record what may not be deployed. Return False when the same was refused before, and still is."""
        return record_decision(self._database, "refused", refusal)

    def skip(self, skip: Skip) -> bool:
        """Record what is not deployed on purpose. Return False when the same was skipped before, and still is."""
        return record_decision(self._database, "skipped", skip)

    def resolve(self, app: str, environment: str) -> None:
        """Record that an environment runs what it should, so that what was refused or skipped for it is over.

        What came before its newest ops commit stays as it is: it is history already.
        """
        of_environment = (Deployment.app == app) & (Deployment.environment == environment)
        newest = select(func.coalesce(func.max(Deployment.id), 0))
        newest = newest.where(of_environment, Deployment.ops_commit.is_not(None))
        over = of_environment & Deployment.state.in_(("refused", "skipped"))
        over &= Deployment.id > newest.scalar_subquery()
        with self._database.read() as session:  # nearly always there is none, so it takes no turn at writing
            if not session.scalar(select(Deployment.id).where(over).limit(1)):
                return
        with self._database.write() as session:
            for deployment in session.scalars(select(Deployment).where(over).with_for_update()):
                deployment.state = "resolved"
                add_event(session, deployment, datetime.now(UTC), "resolved", f"{environment} runs what it should")
            count_change(session)

    def report(self, report: SyncEvent) -> int:
        """Record what sync reports, and return its deployment's number. An end stays the end, whatever comes later."""
        with self._database.write() as session:
            deployment = ensure(
                session, report.ops_commit, report.ops_commit, report.app, report.environment, report.ref, report.commit
            )
            receipt = report.receipt.model_dump(mode="json") if report.receipt else None
            if report.phase == "scheduled":
                receipt_of_run, message = report.receipt, report.message
                if receipt_of_run and not record_scheduled(session, deployment, receipt_of_run, report.time, message):
                    return deployment.id  # it came twice
                add_event(session, deployment, report.time, report.phase, report.message, receipt)
                fold_scheduled(session, deployment)
            elif report.phase != deployment.state:
                _follow(session, deployment, report)
                if report.phase in ("succeeded", "failed"):
                    deployment.error = report.message if report.phase == "failed" else None
                    deployment.receipt = receipt
                    if report.receipt:
                        record_end(session, deployment, report.receipt, report.time)
            if report.log:
                append_log(session, deployment, report.log)
            if report.kept is not None:
                note_kept(session, report.app, report.environment, report.kept)
            if report.schedules is not None:
                note_schedules(session, report.app, report.environment, report.schedules)
            count_change(session)
            return deployment.id

    def append_log(self, deployment_id: int, lines: str) -> None:
        """Append lines to a deployment's log. An unknown deployment is ignored."""
        with self._database.write() as session:
            if deployment := session.get(Deployment, deployment_id, with_for_update=True):
                append_log(session, deployment, lines)
                count_change(session)

    def log(self, deployment_id: int) -> str:
        """Return the kept part of a deployment's log."""
        chunks = select(LogChunk.text).where(LogChunk.deployment_id == deployment_id).order_by(LogChunk.id)
        with self._database.read() as session:
            dropped = session.scalar(select(Deployment.log_dropped).where(Deployment.id == deployment_id))
            kept = "".join(session.scalars(chunks))
        return f"(the first {dropped:,} bytes were dropped)\n{kept}" if dropped else kept

    def get(self, deployment_id: int) -> Deployment | None:
        """Return a deployment with its events, or None when the id is unknown."""
        with self._database.read() as session:
            events = selectinload(Deployment.events).defer(DeploymentEvent.receipt)
            return session.get(Deployment, deployment_id, options=[events])

    def app_of(self, deployment_id: int) -> str | None:
        """Return the app of a deployment, or None when the id is unknown."""
        with self._database.read() as session:
            return session.scalar(select(Deployment.app).where(Deployment.id == deployment_id))

    def newest(
        self, limit: int = 100, app: str | None = None, environment: str | None = None, commit: str | None = None
    ) -> Sequence[Deployment]:
        """Return the newest deployments, newest first, as LISTED; of an app, environment or commit only."""
        wanted = select(Deployment).options(*LISTED).order_by(Deployment.id.desc()).limit(limit)
        if app is not None:
            wanted = wanted.where(Deployment.app == app)
        if environment is not None:
            wanted = wanted.where(Deployment.environment == environment)
        if commit is not None:
            wanted = wanted.where(Deployment.commit == commit)
        with self._database.read() as session:
            return session.scalars(wanted).all()

    def environments(self, app: str | None = None, environment: str | None = None) -> list[EnvironmentSummary]:
        """Return every environment that ever had a deployment or is held, sorted by app and name, as LISTED.

        Or of an app, or of that name only. Previews that are gone are not among them.
        """
        given = [(Deployment.app, Hold.app, app), (Deployment.environment, Hold.environment, environment)]
        meant = [(column == value, of_hold == value) for column, of_hold, value in given if value is not None]
        succeeded = func.max(case((Deployment.state == "succeeded", Deployment.id)))
        ids = select(func.max(Deployment.id).label("newest"), succeeded.label("running"))  # an index has all of it
        ids = ids.where(Deployment.environment != "", Deployment.state != "resolved", *(first for first, _ in meant))
        shown = ids.group_by(Deployment.app, Deployment.environment).cte()
        wanted = select(Deployment).options(*LISTED).order_by(Deployment.id)
        wanted = wanted.where(Deployment.id.in_(select(shown.c.newest).union(select(shown.c.running))))
        with self._database.read() as session:
            found = session.scalars(wanted).all()
            held = session.scalars(select(Hold).where(*(of_hold for _, of_hold in meant))).all()
            gone = {
                (one.app, one.environment) for one in session.scalars(select(Preview).where(Preview.gone.is_not(None)))
            }
        latest = {(one.app, one.environment): one for one in found}
        running = {(one.app, one.environment): one for one in found if one.state == "succeeded"}
        holds = {(hold.app, hold.environment): hold for hold in held}
        return [
            EnvironmentSummary(*key, latest.get(key), running.get(key), holds.get(key))
            for key in sorted((latest.keys() | holds.keys()) - gone)
        ]


def _follow(session: Session, deployment: Deployment, report: SyncEvent) -> None:
    """Add the event and move the deployment's state to what the report says."""
    if report.message or report.phase != "progress":
        add_event(session, deployment, report.time, report.phase, report.message)
        if report.phase == "progress":
            drop_old_progress(session, deployment)
    else:  # it only brought lines of the log
        deployment.changed = report.time
    is_open = not deployment.ended
    if report.phase in ("succeeded", "failed") or (report.phase == "superseded" and is_open):
        deployment.state = report.phase  # also of one that was taken for superseded: it ran after all
    elif is_open:
        deployment.state = "waiting" if report.phase == "queued" else "running"
