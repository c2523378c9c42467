"""Record what a run made, within the transaction that takes sync's report of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.data.compare import compare
from bot.data.compared import merge
from bot.database import upsert
from bot.limits import MAX_RUN_RESULTS, MAX_SCHEDULED_EVENTS, MAX_WORD
from bot.model.receipt import Receipt
from bot.store.preview_tables import Preview
from bot.store.run_tables import CurrentData, EndedRun, RunResult
from bot.store.tables import Deployment, DeploymentEvent


def record_end(session: Session, deployment: Deployment, receipt: Receipt, time: datetime) -> None:
    """Record the end of a deployment, whose state and error are set already, with what its run left.

    When it succeeded, its data is what the environment has now, and what changed in that is stored with it. A receipt
    that the environment knows already is of an earlier run: nothing ran, and what that run left is current again.
    """
    deployment.counted_rows = receipt.rows
    current = _current(session, deployment)
    origin = _origin(session, deployment, receipt, current)
    succeeded = deployment.state == "succeeded"
    if succeeded and (current is None or current.deployment_id <= deployment.id):  # nothing newer ended before it
        after = _left_by(session, origin) if origin else receipt
        past = _compared_with(session, deployment, current)
        before = Receipt.model_validate(past.receipt) if past else None
        change = compare(before, after, past.deployment_id if past else None)
        deployment.change, deployment.summary = change.model_dump(mode="json"), change.summary
        deployment.counted_rows = after.rows
        _set_current(session, deployment, after, time)
    if origin is None and not _has_run(session, deployment, receipt, is_scheduled=False):
        why = deployment.summary if succeeded else _first_line(deployment.error or _error_of(receipt))
        status = "succeeded" if succeeded else "stopped" if receipt.status == "stopped" else "failed"
        _add(session, deployment, receipt, status, why, is_scheduled=False)


def record_scheduled(
    session: Session, deployment: Deployment, receipt: Receipt, time: datetime, message: str = ""
) -> bool:
    """Record a run by the clock, on what a deployment left. Return False when that was recorded before.

    When it succeeded it replaces the data of the pipelines that it ran. What is reported of a deployment that is not
    current any more leaves what is. message: what sync says of it, such as what was not as expected.
    """
    if _has_run(session, deployment, receipt, is_scheduled=True):
        return False
    summary = _first_line(_error_of(receipt) or message)
    if receipt.status == "succeeded":
        current = _current(session, deployment)
        before = Receipt.model_validate(current.receipt) if current else None
        after = merge(before, receipt) if before else receipt
        summary = compare(before, after, current.deployment_id if current else None).summary
        if current is None or current.deployment_id == deployment.id:
            _set_current(session, deployment, after, time)
    _add(session, deployment, receipt, receipt.status, summary, is_scheduled=True)
    return True


def fold_scheduled(session: Session, deployment: Deployment) -> None:
    """Keep the newest MAX_SCHEDULED_EVENTS runs by the clock of a deployment; what older ones left goes to the next.

    So what a deployment left can still be told, also of a pipeline that runs seldom beside one that runs often.
    """
    by_clock = (DeploymentEvent.deployment_id == deployment.id) & (DeploymentEvent.phase == "scheduled")
    newest = select(DeploymentEvent.id).where(by_clock).order_by(DeploymentEvent.id.desc())
    if (last := session.scalar(newest.offset(MAX_SCHEDULED_EVENTS).limit(1))) is None:
        return
    old = session.scalars(select(DeploymentEvent).where(by_clock, DeploymentEvent.id <= last)).all()
    if left := _succeeded(old):
        newer = select(DeploymentEvent.id).where(by_clock, DeploymentEvent.id > last).order_by(DeploymentEvent.id)
        for number in session.scalars(newer).all():  # mostly the first
            event = session.get_one(DeploymentEvent, number)
            if run := _succeeded([event]):
                event.receipt = merge(left, run).model_dump(mode="json")
                break
        else:
            return  # all newer ones failed, so the last that ran well is still needed
    for event in old:
        session.delete(event)


def _succeeded(events: Iterable[DeploymentEvent]) -> Receipt | None:
    """Return what runs left together that succeeded, the oldest first; None: none did."""
    left: Receipt | None = None
    for given in filter(None, (event.receipt for event in events)):
        run = Receipt.model_validate(given)
        if run.status == "succeeded":
            left = merge(left, run) if left else run
    return left


def results_of(receipt: Receipt) -> Iterator[RunResult]:
    """Yield what a receipt says of each pipeline, and after it of each of its resources."""
    for pipeline in receipt.pipelines:
        yield RunResult(
            pipeline=pipeline.id,
            resource="",
            status=pipeline.status,
            rows=pipeline.rows,
            bytes=pipeline.bytes,
            seconds=pipeline.seconds,
            hash=pipeline.hash,
        )
        for resource in pipeline.resources:
            yield RunResult(pipeline=pipeline.id, resource=resource.name, status=pipeline.status, rows=resource.rows)


def _add(
    session: Session, deployment: Deployment, receipt: Receipt, status: str, summary: str | None, *, is_scheduled: bool
) -> None:
    counted = [pipeline.bytes for pipeline in receipt.pipelines if pipeline.bytes is not None]
    run = EndedRun(
        deployment_id=deployment.id,
        app=deployment.app,
        environment=deployment.environment,
        is_scheduled=is_scheduled,
        status=status,
        ended=receipt.ended,
        seconds=max(0.0, (receipt.ended - receipt.started).total_seconds()),
        rows=receipt.rows,
        bytes=sum(counted) if counted else None,
        summary=summary,
    )
    session.add(run)
    session.flush()
    for result, _ in zip(results_of(receipt), range(MAX_RUN_RESULTS), strict=False):
        result.run_id = run.id
        session.add(result)


def _origin(
    session: Session, deployment: Deployment, receipt: Receipt, current: CurrentData | None
) -> Deployment | None:
    """Return the earlier deployment that this receipt is of: that which it goes back to, or whose data is current.

    Two runs do not begin and end at the same microseconds with the same results.
    """
    given = receipt.model_dump(mode="json")
    for number in (deployment.origin_id, current.deployment_id if current else None):
        earlier = session.get(Deployment, number) if number not in (None, deployment.id) else None
        if earlier and earlier.receipt == given:
            return earlier
    return None


def _left_by(session: Session, deployment: Deployment) -> Receipt:
    """Return the receipt of what a deployment left, with the runs by the clock that came after it."""
    left = Receipt.model_validate(deployment.receipt)
    by_clock = (DeploymentEvent.deployment_id == deployment.id) & (DeploymentEvent.phase == "scheduled")
    events = select(DeploymentEvent.receipt).where(by_clock).order_by(DeploymentEvent.id)
    for given in filter(None, session.scalars(events)):
        run = Receipt.model_validate(given)
        left = merge(left, run) if run.status == "succeeded" else left
    return left


def _has_run(session: Session, deployment: Deployment, receipt: Receipt, *, is_scheduled: bool) -> bool:
    same = select(EndedRun.id).where(
        EndedRun.deployment_id == deployment.id,
        EndedRun.is_scheduled == is_scheduled,
        EndedRun.ended == receipt.ended,
        EndedRun.rows == receipt.rows,
    )
    return session.scalar(same.limit(1)) is not None


def _current(session: Session, deployment: Deployment) -> CurrentData | None:
    return session.get(CurrentData, (deployment.app, deployment.environment), with_for_update=True)


def _compared_with(session: Session, deployment: Deployment, current: CurrentData | None) -> CurrentData | None:
    """Return what a deployment's data is compared with: of a preview what the environment has that it names."""
    preview = session.get(Preview, (deployment.app, deployment.environment))
    if preview is None or preview.compared is None:
        return current
    return session.get(CurrentData, (deployment.app, preview.compared))


def _set_current(session: Session, deployment: Deployment, receipt: Receipt, time: datetime) -> None:
    place = {"app": deployment.app, "environment": deployment.environment}
    changes = {"deployment_id": deployment.id, "since": time, "receipt": receipt.model_dump(mode="json")}
    upsert(session, CurrentData, place, changes)


def _error_of(receipt: Receipt) -> str:
    return next((pipeline.error for pipeline in receipt.pipelines if pipeline.error), "")


def _first_line(text: str) -> str | None:
    return text.partition("\n")[0][:MAX_WORD] or None
