"""Follows a deployment's Job to its end: its progress is reported meanwhile, and what its end means is said."""

import threading
from datetime import datetime

from bot.model.receipt import Receipt
from cluster.sync.expected import accepted_note, refusal
from cluster.sync.helm import records
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.job_run import JobEnd, JobError, JobGoneError, JobRun
from cluster.sync.helm.journal import Journal
from cluster.sync.helm.pod_status import AS_EXPECTED
from cluster.sync.helm.release_changes import ReleaseStoppedError
from cluster.sync.outcome import End, verdict


def follow_job(
    job: JobRun, context: SyncContext, journal: Journal, stop: threading.Event, since: datetime | None
) -> tuple[End, str, Receipt | None]:
    """Return how the Job ended, what to say of it, and its receipt.

    `since`: when the deployment began, None: not known any more. Raises ReleaseStoppedError when `stop` says so, and
    JobGoneError when the Job is not there and its end was not seen.
    """
    if stop.is_set():
        job.stop()
    try:
        for message, log in job.follow():
            journal.tell("progress", message, log)
            journal.write_reported_log(job.reported_log)
        if stop.is_set():
            journal.write_reported_log(job.reported_log, now=True)
            raise ReleaseStoppedError
        ended = job.end(since)
    except JobError as error:
        return "failed", str(error), None
    except JobGoneError as error:
        if error.ran and (found := job.receipt_of_gone()):
            return *verdict(found), found
        if error.ran or job.name != journal.record.job:
            raise
        before = records.outcome(context.api, journal.location)  # it succeeded, and its time was over
        return "succeeded", "it ran already, and its Job was removed", before.receipt if before else None
    return _told(ended, journal)


def _told(ended: JobEnd, journal: Journal) -> tuple[End, str, Receipt | None]:
    """Return the same of a Job whose end was seen."""
    target, receipt = journal.location.target, ended.receipt
    if ended.unexpected:
        return "failed", refusal(target, list(ended.unexpected)), receipt
    if ended.is_gone:
        journal.is_gone = True
        again = f"`dppctl rollback {target.app} {target.environment} --run` runs it again"
        return "failed", f"the data that this deployment left is not kept any more, so nothing ran; {again}", None
    gone = f"cannot be read: {ended.unread}" if ended.unread else "is gone"
    end, message = verdict(receipt) if receipt else ("succeeded", f"the Job succeeded; its receipt {gone}")
    message = f"{ended.cause}\n{message}" if ended.cause else message
    if ended.was_there:
        return end, f"{message}; it ran already", receipt
    if end == "succeeded" and journal.values.accept and ended.taken:
        message += accepted_note([line for line in ended.taken if line != AS_EXPECTED], journal.asker)
    return end, message, receipt
