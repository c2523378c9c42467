"""Runs pipelines of a release, and says on the way how far they are."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from bot.model.receipt import Receipt
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.limits import MAX_RECEIPT_FILE_BYTES
from cluster.local.workers.process import WorkerHost, WorkerProcess
from cluster.sync.local.environment import Release
from cluster.sync.progress import Progress


class Pipelines:
    """One run, from start to receipt."""

    def __init__(
        self,
        release: Release,
        values: Values,
        ids: Sequence[str],
        zipapp: Path,
        host: WorkerHost,
    ) -> None:
        """Start the pipelines `ids` on that host. The source is in the release."""
        self._release = release
        origin = {"source": values.source.model_dump(mode="json"), "image": values.image}
        self._worker = WorkerProcess(
            zipapp,
            host,
            release.source,
            ids,
            environment={
                "DPP_DB_ENGINE": f"sqlite:///{host.path(release.work_database)}",
                "DPPCTL_ORIGIN": json.dumps(origin),
            },
            receipt=release.receipt,
            verbose=True,
        )
        self._progress = Progress()

    def stop(self) -> None:
        """End the run soon; its receipt then says nothing."""
        self._worker.stop()

    def follow(self) -> Iterator[tuple[str, str]]:
        """Yield, about once a second until the end, how far the pipelines are and new lines of the log."""
        yield from self._progress.follow(self._worker.events())

    def receipt(self) -> Receipt:
        """Return what came out, once `follow` is exhausted. Raises ClusterError when the pipelines could not be run."""
        code = self._worker.wait()
        complaint = self._worker.complaint()
        self._release.check()
        try:
            with self._release.receipt.open("rb") as file:
                text = file.read(MAX_RECEIPT_FILE_BYTES + 1)
            if len(text) > MAX_RECEIPT_FILE_BYTES:
                raise ClusterError(f"the worker's receipt has more than {MAX_RECEIPT_FILE_BYTES:,} bytes")
            return Receipt.model_validate_json(text)
        except FileNotFoundError:
            reason = "\n".join(self._progress.invalid) or complaint or f"the worker ended with exit code {code}"
            raise ClusterError(reason) from None
        except ValidationError as error:
            raise ClusterError(f"the worker's receipt cannot be read: {error}") from None

    @property
    def spec_folders(self) -> tuple[str, ...]:
        """Return the folders of the specs of its pipelines, within the source."""
        return self._progress.spec_folders
