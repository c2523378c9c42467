"""Reports to the receiver how deployments go."""

import threading
from datetime import UTC, datetime

import requests
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from tenacity.nap import sleep_using_event

from bot.errors import PermanentError, TransientError
from bot.logs import get_logger
from bot.model.next_runs import PipelineSchedule
from bot.model.receipt import Receipt, plain
from bot.model.registration import Target
from bot.model.reports import Phase, SyncEvent
from bot.model.values import Source
from cluster.errors import ClusterError
from cluster.limits import MAX_REPORT_LOG, REPORT_SECONDS, REPORT_TRIES
from cluster.sync.outcome import message_text

_log = get_logger("dppctl.sync")


def sync_event(
    target: Target,
    ops_commit: str,
    source: Source,
    phase: Phase,
    message: str,
    log: str,
    receipt: Receipt | None,
    kept: tuple[str, ...] | None = None,
    schedules: tuple[PipelineSchedule, ...] | None = None,
) -> SyncEvent:
    """Return a report of what happens now, shortened to what the receiver keeps."""
    return SyncEvent(
        ops_commit=ops_commit,
        app=str(target.app),
        environment=target.environment,
        ref=source.ref,
        commit=source.commit,
        phase=phase,
        time=datetime.now(UTC),
        message=message_text(message),
        log=plain(log)[-MAX_REPORT_LOG:],
        receipt=receipt,
        kept=kept,
        schedules=schedules,
    )


class ReceiverAwayError(ClusterError, TransientError):
    """The receiver does not take reports for now."""


class ReportRefusedError(ClusterError, PermanentError):
    """The receiver will never take this report."""


# What is no answer to the report itself: who we are, and how much at a time.
_PERMANENT = frozenset(range(400, 500)) - {401, 404, 408, 429}


class Reporter:
    """Posts events to one receiver; several threads may."""

    def __init__(self, url: str, token: str, stopping: threading.Event) -> None:
        """Take the receiver's `url`, without a path; `stopping` cuts the waiting between tries short."""
        self._url = f"{url}/sync/events"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._retrying = Retrying(
            retry=retry_if_exception_type(requests.RequestException),
            stop=stop_after_attempt(REPORT_TRIES),
            wait=wait_exponential(multiplier=0.1, max=5),
            sleep=sleep_using_event(stopping),
        )

    def post(self, event: SyncEvent) -> int | None:
        """Post an event; return the number of its deployment, where the receiver says it.

        Raises ReceiverAwayError when the receiver does not take it after some tries.

        Of a report that it refuses for good the essential is posted, with the reason; what it refuses then too is
        logged, and nobody waits for it.
        """
        try:
            try:
                return self._retrying(self._try, event)
            except ReportRefusedError as error:
                return self._retrying(self._try, _essential(event, str(error)))
        except ReportRefusedError as error:
            _log.error("report refused", commit=event.ops_commit, phase=event.phase, error=str(error))
            return None
        except RetryError as error:
            raise ReceiverAwayError(f"{self._url} does not take reports: {error.last_attempt.exception()}") from None

    def _try(self, event: SyncEvent) -> int | None:
        with requests.Session() as session:  # each its own: they are not made for several threads
            session.trust_env = False  # no proxy between us; no .netrc instead of the token
            answer = session.post(
                self._url, data=event.model_dump_json(), headers=self._headers, timeout=REPORT_SECONDS
            )
            if answer.status_code in _PERMANENT:
                raise ReportRefusedError(f"{self._url} refuses the report: {answer.status_code} {answer.text[:500]}")
            answer.raise_for_status()
            return _number_in(answer)


def _number_in(answer: requests.Response) -> int | None:
    """Return the deployment's number in the receiver's answer; an older receiver's has none."""
    try:
        number = answer.json().get("deployment")
    except (requests.JSONDecodeError, AttributeError):
        return None
    return number if isinstance(number, int) else None


def _essential(event: SyncEvent, why: str) -> SyncEvent:
    """Return a report without its receipt and log; `why` tells of that."""
    message = message_text(f"{event.message}\n{why}".strip())
    return event.model_copy(update={"message": message, "log": "", "receipt": None})
