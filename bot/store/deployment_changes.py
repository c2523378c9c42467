"""What happens to the rows of a deployment, in a transaction of whoever changes one."""

from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.limits import MAX_LOG_BYTES
from bot.store.tables import OPEN, Deployment, DeploymentEvent, LogChunk, Total

CHANGES = "changes"  # the total that counts what pages show


def changed(session: Session) -> None:
    """To be called last in a transaction: on PostgreSQL others wait here until it is over."""
    session.execute(update(Total).where(Total.name == CHANGES).values(value=Total.value + 1))


def note(
    session: Session,
    deployment: Deployment,
    time: datetime,
    phase: str,
    message: str,
    receipt: dict[str, object] | None = None,
) -> None:
    """This happened to it."""
    deployment.changed = time
    session.add(DeploymentEvent(deployment_id=deployment.id, time=time, phase=phase, message=message, receipt=receipt))


def supersede(session: Session, deployment: Deployment) -> None:
    """End what is open of the environment's older ones. Not left to sync, so that a crash leaves none open."""
    older = select(Deployment).where(
        Deployment.app == deployment.app,
        Deployment.environment == deployment.environment,
        Deployment.state.in_(OPEN),
        Deployment.id < deployment.id,
    )
    for one in session.scalars(older.with_for_update()):
        one.state = "superseded"
        note(session, one, now(), "superseded", f"by {deployment.commit[:12]}")


def append(session: Session, deployment: Deployment, lines: str) -> None:
    """To its log, of which the newest MAX_LOG_BYTES are kept."""
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


def now() -> datetime:
    """In UTC."""
    return datetime.now(UTC)
