"""Writes and counts rows as the dumpers of dataflows do, in batches where they come so."""

from collections import deque
from importlib import import_module
from typing import Any, Iterator, Optional

from ..batches import Batch, RowBatches, batches_in
from .known import unknown

DUMPER_FILES = {
    "dataflows/processors/dumpers/dumper_base.py": "af91ecff07c7e587ebabf7294a8dce1f5df72a50bb68fe76fb04631c2528b083",
    "dataflows/processors/dumpers/file_dumper.py": "964044bd15872e7b019fdeecf420f7f9c2748b290883940c661d810d8c4b6635",
}


def applies() -> Optional[str]:
    """Return None, or why rows are written one at a time."""
    return unknown("dataflows 0.5.12", DUMPER_FILES)


def install() -> None:
    """Change `FileDumper.rows_processor` and `DumperBase.row_counter` of dataflows."""
    base = import_module("dataflows.processors.dumpers.dumper_base")
    dumper = import_module("dataflows.processors.dumpers.file_dumper").FileDumper
    process, count_rows = dumper.rows_processor, base.DumperBase.row_counter

    def quick_process(self: Any, resource: Any, writer: Any, temp_file: Any) -> Iterator[Any]:
        batches = batches_in(resource)
        if batches is None or not hasattr(writer, "write_batch"):
            return process(self, resource, writer, temp_file)  # type: ignore[no-any-return]
        return RowBatches.of(written(self, batches, resource.res, writer, temp_file))

    def written(self: Any, batches: Iterator[Batch], resource: Any, writer: Any, temp_file: Any) -> Iterator[Batch]:
        for batch in batches:
            writer.write_batch(batch)
            yield batch
        end = process(self, base.ResourceWrapper(resource, iter(())), writer, temp_file)
        deque(end, maxlen=0)

    def quick_count(self: Any, resource: Any, iterator: Any) -> Iterator[Any]:
        batches = batches_in(iterator)
        if batches is None:
            return count_rows(self, resource, iterator)  # type: ignore[no-any-return]
        return RowBatches.of(counted(self, resource, batches))

    def counted(self: Any, resource: Any, batches: Iterator[Batch]) -> Iterator[Batch]:
        count = 0
        for batch in batches:
            count += batch.count
            yield batch
        deque(count_rows(self, resource, range(count)), maxlen=0)

    dumper.rows_processor, base.DumperBase.row_counter = quick_process, quick_count
