"""Runs pipelines of a release, and says on the way how far they are."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from bot.model.expectations import unique_columns
from bot.model.receipt import Receipt
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.local.workers.process import WorkerHost, WorkerProcess
from cluster.storage.written import WrittenItems
from cluster.sync.local.environment import Release
from cluster.sync.progress import Progress
from cluster.worker_events import Event


class Pipelines:
    """One run, from start to receipt."""

    def __init__(
        self,
        release: Release,
        values: Values,
        ids: Sequence[str],
        worker: WorkerProcess,
        host: WorkerHost,
    ) -> None:
        """Have a worker of that host run the pipelines `ids`. The source is in the release."""
        self._release, self._values, self._ids = release, values, ids
        self._worker = worker
        worker.begin(
            release.source,
            ids,
            environment={"DPP_DB_ENGINE": f"sqlite:///{host.path(release.work_database)}"},
            origin={"source": values.source.model_dump(mode="json"), "image": values.image},
            verbose=True,
            unique=unique_columns(values.expect),
        )
        self._progress = Progress()
        self._ended: dict[str, Any] | None = None  # the worker's receipt
        self._written: Event = {}
        self._stopped = False

    def stop(self) -> None:
        """End the run soon; its receipt then says nothing."""
        self._stopped = True
        self._worker.stop()

    def follow(self) -> Iterator[tuple[str, str]]:
        """Yield, about once a second until the end, how far the pipelines are and new lines of the log."""
        yield from self._progress.follow(self._events())

    def receipt(self) -> Receipt:
        """Return what came out, once `follow` is exhausted. Raises ClusterError when the pipelines could not be run."""
        code = self._worker.wait()
        complaint = self._worker.complaint()
        self._release.check()
        if self._ended is None or not (code in (0, 1) or self._stopped):
            reason = "\n".join(self._progress.invalid) or complaint or f"the worker ended with exit code {code}"
            raise ClusterError(reason)
        return checked_receipt(self._ended, self._values, self._ids)

    @property
    def written(self) -> WrittenItems:
        """Return what of the source is to be published. Raises ClusterError when no worker writes what it wrote."""
        return WrittenItems.read(self._written)

    def _events(self) -> Iterator[Event]:
        for event in self._worker.events():
            if event["event"] == "ended":
                self._ended = event["receipt"]
            elif event["event"] == "written":
                self._written = event
            yield event


def checked_receipt(found: object, values: Values, ids: Iterable[str]) -> Receipt:
    """Return a worker's receipt, its source and image being those of the values.

    What those pipelines need may be in it too. Raises ClusterError for what is no receipt, or leaves one of them out.
    """
    try:
        receipt = Receipt.model_validate(found)
    except ValidationError as error:
        raise ClusterError(f"the worker's receipt cannot be read: {error}") from None
    if missing := set(ids) - {"all"} - {pipeline.id for pipeline in receipt.pipelines}:
        raise ClusterError(f"the worker's receipt says nothing of {', '.join(sorted(missing))}")
    return receipt.model_copy(update={"source": values.source, "image": values.image})
