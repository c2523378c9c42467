"""Reports to the receiver how deployments go."""

import threading
from datetime import UTC, datetime

import requests
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from tenacity.nap import sleep_using_event

from bot.errors import TransientError
from bot.model.registration import Target
from bot.model.reports import Phase, Receipt, SyncEvent
from bot.model.values import Source
from cluster.errors import ClusterError
from cluster.limits import MAX_REPORT_LOG, REPORT_SECONDS, REPORT_TRIES
from cluster.sync.outcome import message_text, plain


def sync_event(
    target: Target, ops_commit: str, source: Source, phase: Phase, message: str, log: str, receipt: Receipt | None
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
    )


class ReceiverAwayError(ClusterError, TransientError):
    """The receiver does not take reports for now."""


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

    def post(self, event: SyncEvent) -> None:
        """Post an event. Raises ReceiverAwayError when the receiver does not take it after some tries."""
        try:
            self._retrying(self._try, event)
        except RetryError as error:
            raise ReceiverAwayError(f"{self._url} does not take reports: {error.last_attempt.exception()}") from None

    def _try(self, event: SyncEvent) -> None:
        with requests.Session() as session:  # each its own: they are not made for several threads
            session.trust_env = False  # no proxy between us; no .netrc instead of the token
            answer = session.post(
                self._url, data=event.model_dump_json(), headers=self._headers, timeout=REPORT_SECONDS
            )
            answer.raise_for_status()
