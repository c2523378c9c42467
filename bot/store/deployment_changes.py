"""What changes the rows of a deployment, within the transaction of whoever changes it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.database import upsert
from bot.limits import MAX_LOG_BYTES, MAX_PROGRESS_EVENTS
from bot.model.decisions import CommitFacts
from bot.store.tables import OPEN, Deployment, DeploymentEvent, DeployRequest, LogChunk

WAITS_FOR_GATE = (Deployment.state == "waiting") & Deployment.ops_commit.is_(None) & Deployment.gate.is_not(None)


def ensure(
    session: Session, key: str, ops_commit: str | None, app: str, environment: str, ref: str, commit: str
) -> Deployment:
    """Return the deployment with this key, locked, creating it when it is new.

    The bot and sync may each be the first to report it. A deployment that was building for the same commit, or waited
    for another environment, becomes the ops commit's. One that has a new ops commit supersedes the environment's older
    ones.
    """
    by_key = select(Deployment).where(Deployment.key == key).with_for_update()
    if ops_commit and not session.scalar(by_key) and (built := _begun(session, app, environment, ref, commit)):
        built.key, built.ops_commit, built.state, built.gate = ops_commit, ops_commit, "waiting", None
        session.flush()
        supersede_older(session, built)
        return built
    now = datetime.now(UTC)
    row = {
        "app": app,
        "environment": environment,
        "ref": ref,
        "commit": commit,
        "ops_commit": ops_commit,
        "state": "waiting",
        "created": now,
        "changed": now,
    }
    is_new = upsert(session, Deployment, {"key": key}, row, update={})
    deployment = session.scalars(by_key).one()
    if is_new and ops_commit:
        supersede_older(session, deployment)
    return deployment


def add_event(
    session: Session,
    deployment: Deployment,
    time: datetime,
    phase: str,
    message: str,
    receipt: dict[str, object] | None = None,
) -> None:
    """Append an event to a deployment, which has changed at that time."""
    deployment.changed = time
    session.add(DeploymentEvent(deployment_id=deployment.id, time=time, phase=phase, message=message, receipt=receipt))


def drop_old_progress(session: Session, deployment: Deployment) -> None:
    """Keep the newest MAX_PROGRESS_EVENTS of what a deployment told of its progress: a second has one, for hours."""
    told = select(DeploymentEvent.id).where(
        DeploymentEvent.deployment_id == deployment.id, DeploymentEvent.phase == "progress"
    )
    if last := session.scalar(told.order_by(DeploymentEvent.id.desc()).offset(MAX_PROGRESS_EVENTS).limit(1)):
        old = told.where(DeploymentEvent.id <= last)
        session.execute(delete(DeploymentEvent).where(DeploymentEvent.id.in_(old)))


def note_request(session: Session, deployment: Deployment, request_id: int) -> None:
    """Record, once, that a person asked for a deployment, at the time when they did."""
    request = session.get(DeployRequest, request_id)
    if request and (request.app, request.environment) != (deployment.app, deployment.environment):
        return  # another store's number
    if request:
        deployment.act, deployment.by, deployment.login = request.act, request.by, request.login
        deployment.reason, deployment.request_id = request.reason, request.id
    requested = (DeploymentEvent.deployment_id == deployment.id) & (DeploymentEvent.phase == "requested")
    if request and not session.scalar(select(DeploymentEvent.id).where(requested).limit(1)):
        event = DeploymentEvent(
            deployment_id=deployment.id,
            time=request.created,
            phase="requested",
            message=describe_request(request),
            receipt=None,
        )
        session.add(event)
        session.flush()  # before what comes of it


def note_kept(session: Session, app: str, environment: str, kept: Sequence[str]) -> None:
    """Record which deployments of an environment can be gone back to: those of these ops commits, and no others."""
    of_environment = (Deployment.app == app) & (Deployment.environment == environment)
    is_kept = Deployment.key.in_(kept)
    for value, changed in ((False, Deployment.kept & ~is_kept), (True, ~Deployment.kept & is_kept)):
        session.execute(update(Deployment).where(of_environment, changed).values(kept=value))


def describe_request(request: DeployRequest) -> str:
    """Return what somebody asked for, who and why: `by hand: dppctl rollback a/b live, by ann: wrong rows`."""
    words = {
        "promote": [request.app, request.from_environment or "", request.environment],
        "cancel": [str(request.deployment)],
        "retry": [str(request.deployment)],
    }.get(request.act, [request.app, request.environment])
    words += ["--ref", request.ref] if request.ref else []
    words += ["--rebuild"] if request.rebuild else []
    words += ["--accept-change"] if request.accept else []
    words += ["--to", str(request.to_deployment)] if request.to_deployment and request.act == "rollback" else []
    words += ["--run"] if request.run else []
    command = " ".join(["dppctl", request.act, *words])
    return f"by hand: {command}, {by_whom(request)}"


def by_whom(request: DeployRequest) -> str:
    """Return who asked for something, and why: `by ann: wrong rows`."""
    who = f"by {request.login or request.by or 'an unknown person'}"
    return f"{who}: {request.reason}" if request.reason else who


def supersede_older(session: Session, deployment: Deployment) -> None:
    """End the environment's older deployments that are open. Not left to sync, so that a crash leaves none open."""
    older = select(Deployment).where(
        Deployment.app == deployment.app,
        Deployment.environment == deployment.environment,
        Deployment.state.in_(OPEN),
        Deployment.id < deployment.id,
    )
    for superseded in session.scalars(older.with_for_update()):
        superseded.state, superseded.gate = "superseded", None
        add_event(session, superseded, datetime.now(UTC), "superseded", f"by {deployment.commit[:12]}")


def append_log(session: Session, deployment: Deployment, lines: str) -> None:
    """Append lines to a deployment's log, of which the newest MAX_LOG_BYTES are kept."""
    data = lines.replace("\0", "").encode(errors="replace")
    kept = data[-MAX_LOG_BYTES:]
    session.add(LogChunk(deployment_id=deployment.id, text=kept.decode(errors="ignore")))
    deployment.log_size += len(kept)
    deployment.log_dropped += len(data) - len(kept)
    if deployment.log_size > MAX_LOG_BYTES:
        session.flush()
        chunks = select(LogChunk).where(LogChunk.deployment_id == deployment.id).order_by(LogChunk.id)
        for chunk in session.scalars(chunks).all():
            if deployment.log_size <= MAX_LOG_BYTES:
                break
            size = len(chunk.text.encode())
            deployment.log_size -= size
            deployment.log_dropped += size
            session.execute(delete(LogChunk).where(LogChunk.id == chunk.id))


def take_over(session: Session, key: str, app: str, environment: str, ref: str, commit: str) -> None:
    """Have the deployment of this commit that waits for another environment go on under a key, if there is none yet."""
    waiting = select(Deployment).where(
        Deployment.app == app,
        Deployment.environment == environment,
        Deployment.ref == ref,
        Deployment.commit == commit,
        WAITS_FOR_GATE,
    )
    found = session.scalar(waiting.order_by(Deployment.id.desc()).with_for_update())
    if found and not session.scalar(select(Deployment.id).where(Deployment.key == key)):
        found.key, found.gate = key, None
        session.flush()


def note_facts(session: Session, deployment: Deployment, facts: CommitFacts | None) -> None:
    """Keep what is known of a deployment's commit: what is given, or what another deployment of the app has of it."""
    if facts is None and deployment.tree is None:
        known = select(Deployment.tree, Deployment.subject, Deployment.author).where(
            Deployment.app == deployment.app, Deployment.commit == deployment.commit, Deployment.tree.is_not(None)
        )
        found = session.execute(known.limit(1)).first()
        facts = CommitFacts(*(text or "" for text in found)) if found else None
    if facts and facts.tree:
        deployment.tree, deployment.subject, deployment.author = facts.tree, facts.subject, facts.author


def last_event(session: Session, deployment: Deployment) -> tuple[str, str] | None:
    """Return phase and message of a deployment's newest event."""
    events = select(DeploymentEvent.phase, DeploymentEvent.message).where(
        DeploymentEvent.deployment_id == deployment.id
    )
    found = session.execute(events.order_by(DeploymentEvent.id.desc()).limit(1)).first()
    return (found[0], found[1]) if found else None


def _begun(session: Session, app: str, environment: str, ref: str, commit: str) -> Deployment | None:
    """Return the newest deployment whose image was built for this commit, or that waited with it, locked."""
    built = select(Deployment).where(
        Deployment.app == app,
        Deployment.environment == environment,
        Deployment.ref == ref,
        Deployment.commit == commit,
        (Deployment.state == "building") | WAITS_FOR_GATE,
    )
    return session.scalar(built.order_by(Deployment.id.desc()).with_for_update())
