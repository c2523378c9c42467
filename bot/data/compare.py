"""What changed in the data from one run to another, and the sentence that says it. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from bot.data.found import FoundData, FoundResource, found_data, pairs
from bot.limits import MAX_SUMMARY_NAMES
from bot.model.data_change import DataChange, NullsChange, ResourceChange, RetypedColumn
from bot.model.receipt import Receipt
from bot.model.values import Compared


def compare(before: Receipt | Compared | None, after: Receipt, deployment: int | None = None) -> DataChange:
    """Return what changed in an environment's data.

    before: what was there, None: nothing; `deployment`: the number of the deployment that it came from, if it is known.
    What one of the two does not say is not compared, and `notes` say so.
    """
    new = found_data(after)
    old = FoundData((), 0) if before is None else found_data(before)
    if isinstance(before, Compared) and deployment is None:
        deployment = before.deployment
    resources = tuple(_changed(one, other) for one, other in pairs(old, new))
    change = DataChange(
        before=None if before is None else deployment,
        rows_before=None if before is None else old.rows,
        rows=new.rows,
        resources=resources,
        notes=() if before is None else tuple(_notes(old, new)),
    )
    return change.model_copy(update={"summary": _summary(change, new)})


def _changed(before: FoundResource | None, after: FoundResource | None) -> ResourceChange:
    """Return what changed in a resource; one of the two may be missing."""
    if before is None or after is None:
        present = after or before
        assert present  # noqa: S101 (a pair has at least one of them)
        return ResourceChange(
            pipeline=present.pipeline,
            name=present.name,
            before=before.rows if before else None,
            after=after.rows if after else None,
            is_new=before is None,
            is_gone=after is None,
            is_known=bool(present.types),
        )
    is_known = bool(before.types) == bool(after.types)  # a resource may have no columns; then both have none
    added = _missing(after, before) if is_known else ()
    removed = _missing(before, after) if is_known else ()
    both = [name for name in after.types if name in before.types]
    nulls = [(name, before.nulls[name], after.nulls[name]) for name in both]
    return ResourceChange(
        pipeline=after.pipeline,
        name=after.name,
        before=before.rows,
        after=after.rows,
        is_same=after.hash is not None and (before.hash, before.rows) == (after.hash, after.rows),
        is_known=is_known,
        added=added,
        removed=removed,
        retyped=tuple(
            RetypedColumn(name=name, before=before.types[name], after=after.types[name])
            for name in both
            if before.types[name] != after.types[name]
        ),
        nulls=tuple(
            NullsChange(name=name, before=had, after=has)
            for name, had, has in nulls
            if had is not None and has is not None and has > had
        ),
    )


def _missing(of: FoundResource, there: FoundResource) -> tuple[str, ...]:
    """Return the columns of one that the other has not; none where the other does not list all of its own."""
    return () if there.unlisted else tuple(name for name in of.types if name not in there.types)


def _notes(before: FoundData, after: FoundData) -> Iterator[str]:
    for when, data in (("before", before), ("now", after)):
        if data.unlisted:
            yield f"{_count(data.unlisted, 'table')} of the run {when} {_is(data.unlisted)} not listed and not compared"
        for resource in data.resources:
            if resource.unlisted:
                columns = f"{_count(resource.unlisted, 'column')} of {resource.name} {when}"
                yield f"{columns} {_is(resource.unlisted)} not listed and not compared"
    both = [(one, other) for one, other in pairs(before, after) if one and other]
    for old, new in both:
        if bool(old.types) != bool(new.types):
            yield f"{new.name}: its columns {'before' if new.types else 'now'} are not known, so they are not compared"
    for when, resources in (("before", [old for old, _ in both]), ("now", [new for _, new in both])):
        if any(count is None for resource in resources for count in resource.nulls.values()):
            yield f"the run {when} did not count values that are missing, so they are not compared"


def _summary(change: DataChange, after: FoundData) -> str:
    """Return the change as a line for people."""
    tables = len(after.resources) + after.unlisted
    rows = _count(change.rows, "row")
    place = f"in {_count(tables, 'table')}"
    if not tables and not change.resources:
        return "no tables" if not change.rows else rows
    if change.rows_before is None:
        return f"{rows} {place}, the first"
    differences = [*_differences(change.resources)]
    both = [found for found in change.resources if not (found.is_new or found.is_gone)]
    if change.rows != change.rows_before:
        rows = f"{rows} ({change.rows - change.rows_before:+,})"
    elif any(found.before != found.after for found in change.resources):
        rows = f"{rows} (+0)"
    elif not differences and both and all(found.is_same for found in both):
        differences = ["the same as before"]
    elif not differences:
        differences = ["as many as before"]
    return ", ".join([f"{rows} {place}", *differences])


def _differences(resources: Sequence[ResourceChange]) -> Iterator[str]:
    new = [found.name for found in resources if found.is_new]
    gone = [found.name for found in resources if found.is_gone]
    yield from _named(new, "new table")
    yield from _named(gone, "table gone", "tables gone")
    yield from _named(_columns(resources, lambda found: found.removed), "column gone", "columns gone")
    yield from _named(_columns(resources, lambda found: found.added), "new column")
    retyped = _columns(
        resources, lambda found: [f"{column.name} ({column.before} to {column.after})" for column in found.retyped]
    )
    yield from _named(retyped, "column of another type", "columns of another type")
    nulls = _columns(resources, lambda found: [column.name for column in found.nulls])
    yield from _named(nulls, "column with more values missing", "columns with more values missing")


def _columns(resources: Iterable[ResourceChange], of: Callable[[ResourceChange], Iterable[str]]) -> list[str]:
    """Return columns by name; those of a name that several tables have with their table's."""
    found = [(resource.name, name) for resource in resources for name in of(resource)]
    often = Counter(name for _, name in found)
    return [name if often[name] == 1 else f"{table}.{name}" for table, name in found]


def _named(names: Sequence[str], singular: str, plural: str = "") -> Iterator[str]:
    if names:
        shown = ", ".join(names[:MAX_SUMMARY_NAMES])
        rest = f" and {len(names) - MAX_SUMMARY_NAMES:,} more" if len(names) > MAX_SUMMARY_NAMES else ""
        yield f"{_count(len(names), singular, plural)}: {shown}{rest}"


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
