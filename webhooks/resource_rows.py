"""What came out of a run and what changed in it, resource by resource, as the pages show it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.data.found import more
from bot.model.data_change import DataChange, ResourceChange
from bot.model.receipt import FieldResult, Receipt
from bot.store.history import ResourceKey


@dataclass(frozen=True)
class ResourceRow:
    """A resource of a pipeline: its rows and columns now, and how they differ from what was before.

    change: None when it is not known what was before, or there was nothing.
    """

    pipeline: str
    name: str
    rows: int | None
    fields: tuple[FieldResult, ...]
    hash: str | None = None  # of the pipeline's rows, all resources together
    change: ResourceChange | None = None

    @property
    def key(self) -> ResourceKey:
        """Return how the store's history names it."""
        return ResourceKey(self.pipeline, self.name)

    @property
    def difference(self) -> int | None:
        """Return how many rows more there are than before; None: it is not known, or there was nothing."""
        change = self.change
        if change is None or change.is_new or change.before is None or change.after is None:
            return None
        return change.after - change.before

    @property
    def columns(self) -> int:
        """Return how many columns it has; those that are not listed count too."""
        return sum(more(field.name) or 1 for field in self.fields)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what changed beside its rows, a few words for each."""
        return tuple(_notes(self.change)) if self.change else ()


def resource_rows(receipt: Receipt | None, change: DataChange | None) -> list[ResourceRow]:
    """Return the resources of a receipt in its order; after them those that are gone."""
    changes: dict[ResourceKey, ResourceChange] = {}
    if change and change.rows_before is not None:
        changes = {ResourceKey(found.pipeline, found.name): found for found in change.resources}
    rows = [*_of_receipt(receipt, changes)] if receipt else []
    known = {row.key for row in rows}
    gone = [found for key, found in changes.items() if found.is_gone and key not in known]
    return [*rows, *(ResourceRow(found.pipeline, found.name, None, (), change=found) for found in gone)]


def _of_receipt(receipt: Receipt, changes: Mapping[ResourceKey, ResourceChange]) -> Iterator[ResourceRow]:
    for pipeline in receipt.pipelines:
        for found in pipeline.resources:
            change = changes.get(ResourceKey(pipeline.id, found.name))
            yield ResourceRow(pipeline.id, found.name, found.rows, found.fields, pipeline.hash, change)


def _notes(change: ResourceChange) -> Iterator[str]:
    if change.is_new:
        yield "new"
    if change.is_gone:
        yield "gone"
    for words, names in (("new column", change.added), ("column gone", change.removed)):
        if names:
            yield f"{words}{'' if len(names) == 1 or words == 'column gone' else 's'}: {', '.join(names)}"
    for column in change.retyped:
        yield f"{column.name} is {column.after} now, was {column.before}"
    for nulls in change.nulls:
        yield f"{nulls.name} has no value in {nulls.after:,} rows, {nulls.after - nulls.before:,} more"
    if change.is_same:
        yield "the same as before"
    if not change.is_known and not change.is_new and not change.is_gone:
        yield "columns not compared: one of the two runs does not name them"
