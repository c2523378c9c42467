"""Whether the data that came out is as the app expects it (`expect:` in `.dppctl.yaml`). Pure.

What an expectation asks for and nobody counted is a violation, as it cannot be promised. What was there before and is
not known, such as at the first deployment, forbids nothing.
"""

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bot.data.found import FoundData, FoundResource, Pair, found_data, pairs
from bot.limits import MAX_SUMMARY_NAMES
from bot.model.expectations import Expectation
from bot.model.receipt import Receipt
from bot.model.values import Compared


@dataclass(frozen=True)
class Violation:
    """What is not as it is expected to be: `message` says it in a line for people."""

    message: str

    def __str__(self) -> str:
        """Return the line."""
        return self.message


def check(
    expect: Sequence[Expectation],
    after: Receipt,
    before: Compared | None,
    compared: Sequence[Compared],
    pipelines: Collection[str] | None = None,
) -> list[Violation]:
    """Return what of the data `after` is not as expected, in the order of the expectations.

    before: what the environment had, None: nothing. compared: what the environments had that `comparedWith` names.
    pipelines: after a run of these only, `after` being the data of all: what others made is not checked again.
    """
    others, data = {found.environment: found for found in compared}, found_data(after)
    messages: list[str] = []
    for expectation in expect:
        past = others.get(expectation.compared_with) if expectation.compared_with else before
        if expectation.compared_with and past is None and pipelines is None:
            messages.append(
                f"{_place(expectation, data)}: nothing is known of the data of {expectation.compared_with}, "
                "which comparedWith names; deploy there first"
            )
        messages += _check(expectation, data, past, pipelines)
    return [Violation(message) for message in dict.fromkeys(messages)]


def _check(
    expectation: Expectation, after: FoundData, past: Compared | None, pipelines: Collection[str] | None
) -> list[str]:
    old = found_data(past) if past else FoundData((), 0)
    matching = [pair for pair in pairs(old, after) if any(found and expectation.is_for(found.name) for found in pair)]
    checked = [pair for pair in matching if pipelines is None or _pipeline(pair) in pipelines]
    found = [message for before, now in checked for message in _check_resource(expectation, before, now, past)]
    is_about_all = pipelines is None or bool(checked)
    if not found and is_about_all and not any(now for _, now in matching):
        return [_no_resource(expectation, after)]
    if after.unlisted and pipelines is None and set("*?[") & set(expectation.resource or "*"):
        more = f"{after.unlisted:,} more resources are not in the receipt, so they are not checked"
        found.append(f"{_place(expectation, after)}: {more}; name the resources that matter")
    return found


def _pipeline(pair: Pair) -> str:
    return next(found.pipeline for found in reversed(pair) if found)


def _check_resource(
    expectation: Expectation, before: FoundResource | None, now: FoundResource | None, past: Compared | None
) -> Iterator[str]:
    """Yield what is not as expected of a resource; of one that is gone, that it is."""
    if now:
        yield from _check_rows(expectation, now)
        yield from _check_nulls(expectation, now)
        yield from _check_unique(expectation, now)
    if before and past:
        dropped = [*_check_drop(expectation, before, now, past)]
        yield from dropped
        if expectation.columns and (now or not dropped):
            yield from _check_columns(expectation, before, now, past)


def _check_rows(expectation: Expectation, now: FoundResource) -> Iterator[str]:
    if (least := expectation.min_rows) is None:
        return
    if now.rows is None:
        yield f"{now.name}: its rows were not counted; minRows is {least:,}"
    elif now.rows < least:
        yield f"{now.name}: {_rows(now.rows)}; minRows is {least:,}"


def _check_nulls(expectation: Expectation, now: FoundResource) -> Iterator[str]:
    for column in expectation.not_null or ():
        if column not in now.types:
            yield _no_column(now, column, "notNull")
        elif (nulls := now.nulls[column]) is None:
            yield f"{now.name}: rows without {column} were not counted (by an older worker?); notNull has {column}"
        elif nulls:
            yield f"{now.name}: {_rows(nulls)} without {column}; notNull has {column}"


def _check_unique(expectation: Expectation, now: FoundResource) -> Iterator[str]:
    columns = expectation.unique or ()
    missing = [column for column in columns if column not in now.types]
    yield from (_no_column(now, column, "unique") for column in missing)
    if missing or not columns:
        return
    together = ", ".join(columns)
    result = next((found for found in now.unique if set(found.columns) == set(columns)), None)
    if result is None or result.duplicates is None:
        why = (result and result.note) or "the worker that ran it does not check that"
        yield f"{now.name}: not checked whether {together} is unique: {why}"
    elif result.duplicates:
        again = "repeats" if result.duplicates == 1 else "repeat"
        yield f"{now.name}: {_rows(result.duplicates)} {again} the {together} of another row; unique is {together}"


def _check_drop(
    expectation: Expectation, before: FoundResource, now: FoundResource | None, past: Compared
) -> Iterator[str]:
    if (most := expectation.max_drop_percent) is None or before.rows is None:
        return
    limit = f"maxDropPercent is {most}"
    if now and now.rows is None:
        yield f"{now.name}: its rows were not counted; {limit}"
        return
    rows = (now.rows if now else 0) or 0
    percent = Fraction(100 * (before.rows - rows), before.rows) if before.rows else Fraction(0)
    if percent > (allowed := Fraction(str(most))):
        fewer = f"{_percent(percent, allowed)} % fewer{'' if now else ' rows'} than the {before.rows:,}"
        origin = _origin(expectation, past)
        than = f"of {origin}" if past.deployment else f"in {origin}" if origin else "before"
        yield f"{before.name}: {_rows(rows) if now else 'gone'}, {fewer} {than}; {limit}"


def _check_columns(
    expectation: Expectation, before: FoundResource, now: FoundResource | None, past: Compared
) -> Iterator[str]:
    origin = _origin(expectation, past)
    end = f"{f', compared with {origin}' if origin else ''}; columns is keep"
    if now is None:
        yield f"{before.name}: gone{end}"
    elif before.types and not now.types:
        yield f"{now.name}: its columns are not known{end}"
    elif before.types:
        gone = [name for name in before.types if name not in now.types]
        if gone and now.unlisted:
            yield f"{now.name}: the receipt does not list all columns, so not whether {_names(gone)} stays{end}"
        elif gone:
            yield f"{now.name}: {'column' if len(gone) == 1 else 'columns'} {_names(gone)} gone{end}"
        for name, kind in now.types.items():
            if (old := before.types.get(name, kind)) != kind:
                yield f"{now.name}: column {name} is {kind} and was {old}{end}"


def _origin(expectation: Expectation, past: Compared) -> str:
    """Return what it is compared with; nothing where that is what was there before, of no known deployment."""
    other = past.environment if expectation.compared_with else ""
    return " in ".join(filter(None, [f"deployment {past.deployment}" if past.deployment else "", other]))


def _no_resource(expectation: Expectation, after: FoundData) -> str:
    names = list(dict.fromkeys(resource.name for resource in after.resources))
    if expectation.resource is None:
        return f"{_place(expectation, after)}: no resource came out"
    present = f"there is {_names(names)}" if names else "none came out"
    missing = f"{_place(expectation, after)}: no resource is {expectation.resource}; {present}"
    return f"{missing}{_meant(expectation.resource, names)}"


def _no_column(resource: FoundResource, column: str, key: str) -> str:
    names = list(resource.types)
    if resource.unlisted or not names:
        return f"{resource.name}: the receipt does not list column {column}, so it is not checked; {key} has it"
    return f"{resource.name}: no column is {column}, which {key} has; there is {_names(names)}{_meant(column, names)}"


def _meant(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _names(names: Sequence[str]) -> str:
    shown = MAX_SUMMARY_NAMES * 3
    rest = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{rest}"


def _place(expectation: Expectation, after: FoundData) -> str:
    return f"{after.config_file}:{expectation.line}" if expectation.line else f"{after.config_file}, expect"


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"


def _percent(percent: Fraction, allowed: Fraction) -> str:
    """Return a percentage with as few decimals as show that it is more than allowed; 100 only for all."""
    decimals = 0
    while True:
        shown = round(percent, decimals)
        if shown > allowed and (shown < 100 or percent >= 100):
            return f"{float(shown):.{decimals}f}"
        decimals += 1
