"""An environment on one machine: a folder with its database, the source that runs, and what ran last."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.errors import BotError
from bot.events import Receipt
from bot.values import Values
from cluster.errors import ClusterError
from cluster.local.runtime import Runtime
from cluster.local.worker_process import WorkerProcess


@dataclass(frozen=True)
class LocalEnvironment:
    """One app in one environment."""

    folder: Path

    @property
    def engine(self) -> str:
        """SQLAlchemy URL of the environment's own database; pipelines find it in DPP_DB_ENGINE."""
        return f"sqlite:///{self.folder / 'data.sqlite'}"

    @property
    def source(self) -> Path:
        """Where the app's files are at the deployed commit."""
        return self.folder / "source"

    def deployed(self) -> Values | None:
        """What was run last, well or not. None: nothing yet."""
        try:
            return Values.from_yaml(self._record.read_text(), str(self._record))
        except (FileNotFoundError, BotError):
            return None

    def record(self, values: Values) -> None:
        """These values have been run."""
        part = self._record.with_suffix(".part")
        part.write_text(values.to_yaml())
        os.replace(part, self._record)

    @property
    def _record(self) -> Path:
        return self.folder / "deployed.yaml"


class EnvironmentRun:
    """Runs an environment's pipelines once, from start to receipt."""

    def __init__(
        self,
        environment: LocalEnvironment,
        values: Values,
        zipapp: Path,
        runtime: Callable[[Path | None], Runtime],
    ) -> None:
        """The source is in place. `runtime` makes dpp's environment, for a requirements file or for none."""
        requirements = environment.source / "requirements.txt"
        self._receipt = environment.folder / "receipt.json"
        self._receipt.unlink(missing_ok=True)
        origin = {"source": values.source.model_dump(mode="json"), "image": values.image}
        self._worker = WorkerProcess(
            zipapp,
            runtime(requirements if requirements.is_file() else None),
            environment.source,
            [pipeline.id for pipeline in values.pipelines],
            environment={"DPP_DB_ENGINE": environment.engine, "DPPCTL_ORIGIN": json.dumps(origin)},
            receipt=self._receipt,
        )
        self._invalid: list[str] = []

    def stop(self) -> None:
        """End it soon; there will be no receipt to speak of."""
        self._worker.stop()

    def finished(self) -> Iterator[dict[str, Any]]:
        """Each pipeline's result, as it ends."""
        for event in self._worker.events():
            if event["event"] == "finished":
                yield event["result"]
            elif event["event"] == "invalid":
                self._invalid += [f"{error['where']}: {error['message']}" for error in event["errors"]]

    def receipt(self) -> Receipt:
        """What came out, once `finished` is exhausted. Raises ClusterError when the pipelines could not be run."""
        code = self._worker.wait()
        complaint = self._worker.complaint()
        try:
            return Receipt.model_validate_json(self._receipt.read_bytes())
        except FileNotFoundError:
            reason = "\n".join(self._invalid) or complaint or f"the worker ended with exit code {code}"
            raise ClusterError(reason) from None
        except ValidationError as error:
            raise ClusterError(f"the worker's receipt cannot be read: {error}") from None
