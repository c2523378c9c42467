"""What is written down of a deployment, in the cluster, and told of it, to the bot and in the log.

Each step is written down before it is taken, so that a kill at any moment leaves nothing to guess.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from bot.kubernetes import ApiAwayError, ApiError
from bot.logs import get_logger
from bot.model.reports import Phase, Receipt
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.limits import LOG_PLACE_SECONDS
from cluster.sync.helm import records
from cluster.sync.helm.context import SyncContext, read_values_files
from cluster.sync.helm.decide import Record, ReleasePhase
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.outcome import End, Outcome, message_text
from cluster.sync.reporter import sync_event
from cluster.sync.repositories import values_of

_log = get_logger("dppctl.sync")


class UnusableError(ClusterError):
    """What the bot's values file says can never be deployed."""


class Journal:
    """Of one deployment."""

    def __init__(self, means: SyncContext, place: ReleaseTarget, record: Record) -> None:
        """`record`: what was written down last."""
        self.record = record
        self.log = _log.bind(app=place.target.app, environment=place.target.environment)
        self.began = datetime.now(UTC)
        self._means = means
        self._place = place
        self._values: Values | None = None
        self._ops_commit = ""
        self._place_kept = time.monotonic()

    def read(self, wanted: Desired) -> Mapping[str, bytes]:
        """The values files of what is to be deployed, by path; what is told from here on is about that.

        Raises UnusableError, and DppctlError when git fails.
        """
        target = self._place.target
        contents = read_values_files(self._means, self._place, wanted)
        values = values_of(target, contents[target.values_file])
        with self._means.repositories.use(target.ops.repository) as ops:
            self._ops_commit = ops.last_change(target.values_file)
        if not isinstance(values, Values):
            raise UnusableError(str(values or f"{target.values_file} is gone"))
        self._values = values
        return contents

    @property
    def values(self) -> Values:
        """That were read."""
        assert self._values is not None  # noqa: S101 (for mypy)
        return self._values

    def begin(self, record: Record) -> None:
        """The first thing that is written in a namespace tells whether it is there."""
        try:
            self.write(record)
        except ApiError as error:
            if error.status != 404:
                raise
            name = self._place.namespace
            raise ApiError(f"namespace {name} is not there; create it, with sync's Role (docs/sync.md)", 404) from None

    def write(self, record: Record, outcome: Outcome | None = None) -> None:
        """`outcome` None: it stays as it is. Raises ApiError and ApiAwayError, as all that writes."""
        records.write(self._means.api, self._place, record, outcome)
        self.record = record

    def write_told(self, told: str, *, now: bool = False) -> None:
        """Up to where the Job's log was told: after a restart it is told from there. Now and then is enough."""
        is_due = now or time.monotonic() - self._place_kept >= LOG_PLACE_SECONDS
        if told != self.record.told and is_due:
            with suppress(ApiAwayError):  # then lines may be told twice
                self.write(self.record.with_("running", told=told))
            self._place_kept = time.monotonic()

    def write_end(self, phase: ReleasePhase, end: End, message: str, receipt: Receipt | None) -> Outcome:
        """How it ended, with the phase that comes next."""
        outcome = Outcome(
            ops_commit=self._ops_commit,
            values=self.values,
            phase=end,
            message=message_text(message),
            receipt=receipt,
            began=self.began.timestamp(),
            ended=time.time(),
            spec_folders=(),
        )
        self.write(self.record.with_(phase, reported=False), outcome)
        return outcome

    def tell_end(self, outcome: Outcome | None) -> None:
        """Until it was heard: a report that fails is tried again at a later look. Raises ClusterError for that."""
        if outcome:
            source, phase, text = outcome.values.source, outcome.phase, outcome.message
            ops_commit, receipt = outcome.ops_commit, outcome.receipt
            self._means.report(sync_event(self._place.target, ops_commit, source, phase, text, "", receipt))
            error = {"error": text.partition("\n")[0]} if phase == "failed" else {}
            self.log.info("deployed", commit=source.commit, phase=phase, revision=self.record.revision, **error)
        self.write(self.record.with_(self.record.phase, reported=True))

    def tell_end_again(self) -> None:
        """The one that was written down."""
        self.tell_end(records.outcome(self._means.api, self._place))

    def tell(self, phase: Phase, message: str, log: str = "") -> None:
        """How far it is; the deployment goes on when nobody hears."""
        if self._values is None:
            return
        event = sync_event(self._place.target, self._ops_commit, self._values.source, phase, message, log, None)
        try:
            self._means.report(event)
        except ClusterError as error:
            self.log.warning("not reported", phase=phase, error=error)
