"""What a run leaves, as sync and the receiver read it: typed, and shortened where it is longer than anybody reads.

The worker writes it beside code of the app, so it may say anything.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from operator import not_
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.limits import (
    MAX_ERROR,
    MAX_FACTS,
    MAX_PIPELINE_ID,
    MAX_PIPELINES,
    MAX_RECEIPT_BYTES,
    MAX_SHORT_ERROR,
    MAX_WORD,
)
from bot.model.values import Source

_UNFIT = re.compile(r"\\u(?:0000|d[89a-f])|Infinity|NaN")  # in JSON


def plain(text: str) -> str:
    """Return the text without what PostgreSQL cannot store, such as half a character of a file's name."""
    return text.replace("\0", "").encode(errors="backslashreplace").decode()


def shorten(text: str, most: int) -> str:
    """Return of a text with more than `most` characters its first line, which says what it is about, and its end."""
    if len(text) <= most:
        return text
    first = text.partition("\n")[0][: most // 2]
    return f"{first}\n…\n{text[len(first) + 3 - most :]}"


def _word(given: object, most: int) -> object:
    """Return a name of a foreign document; of a long one the beginning."""
    if not isinstance(given, str):
        return given
    text = plain(given)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _error(given: object) -> object:
    return shorten(plain(given), MAX_ERROR) if isinstance(given, str) else given


def _first(given: object) -> object:
    """Return the first entries of a list, with one that says how many more there are."""
    if not isinstance(given, list) or len(given) <= MAX_FACTS:
        return given
    return [*given[:MAX_FACTS], {"name": f"{len(given) - MAX_FACTS:,} more"}]


def _statistics(given: object) -> object:
    """Return the first statistics, as they are or as a short text."""
    if not isinstance(given, Mapping):
        return given
    found: dict[Any, Any] = {}
    for name, value in [*given.items()][:MAX_FACTS]:
        text = json.dumps(value, default=str)
        is_fit = len(text) <= MAX_WORD and not _UNFIT.search(text)
        found[_word(name, MAX_WORD)] = value if is_fit else _word(value if isinstance(value, str) else text, MAX_WORD)
    return found | ({"…": f"{len(given) - MAX_FACTS:,} more"} if len(given) > MAX_FACTS else {})


def _pipelines(given: object) -> object:
    """Return the pipelines; of too many those that did not succeed first, and how many more there are."""
    if not isinstance(given, list) or len(given) <= MAX_PIPELINES:
        return given
    ordered = sorted(given, key=lambda found: isinstance(found, Mapping) and found.get("status") == "succeeded")
    return [*ordered[:MAX_PIPELINES], {"id": f"{len(given) - MAX_PIPELINES:,} more", "status": "succeeded"}]


_Word = Annotated[str, BeforeValidator(partial(_word, most=MAX_WORD))]
_Id = Annotated[str, BeforeValidator(partial(_word, most=MAX_PIPELINE_ID))]
_Status = Literal["succeeded", "failed", "stopped"]
_Given = TypeVar("_Given")
_Profiled = Annotated[_Given | None, Field(exclude_if=lambda given: given is None)]  # written only where it is known


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class FieldResult(_Fact):
    """A column of a resource, with its profile as far as the worker counted one.

    nulls: rows without a value; least, greatest: of numbers, dates and times, as texts.
    """

    name: _Word
    type: _Word = ""
    nulls: _Profiled[int] = None
    least: _Profiled[_Word] = None
    greatest: _Profiled[_Word] = None


class UniqueResult(_Fact):
    """Whether columns, taken together, have other values in each row; asked for by an expectation.

    duplicates: rows whose values stood in an earlier row already; None: not checked, for the reason `note`.
    """

    columns: tuple[_Word, ...]
    duplicates: int | None = None
    note: _Word = ""


class ResourceResult(_Fact):
    """A resource that a pipeline made."""

    name: _Word
    rows: int | None = None
    fields: Annotated[tuple[FieldResult, ...], BeforeValidator(_first)] = ()
    unique: Annotated[tuple[UniqueResult, ...], Field(exclude_if=not_)] = ()


class SourceLines(_Fact):
    """Lines of a file; `first` is the number of the first."""

    first: int
    lines: Annotated[tuple[_Word, ...], BeforeValidator(lambda given: given[:9] if isinstance(given, list) else given)]


class ErrorLocation(_Fact):
    """The user's own line that a pipeline failed at, and the processor that it belongs to."""

    file: _Word
    line: int
    processor: _Word = ""
    source: _Profiled[SourceLines] = None


class PipelineResult(_Fact):
    """A pipeline's part of a receipt."""

    id: _Id
    status: _Status
    rows: int | None = None
    bytes: int | None = None
    hash: _Word | None = None
    seconds: float | None = None
    resources: Annotated[tuple[ResourceResult, ...], BeforeValidator(_first)] = ()
    stats: Annotated[dict[str, Any], BeforeValidator(_statistics)] = {}
    runner: _Word = ""  # who ran it, and why so
    error: Annotated[str, BeforeValidator(_error)] | None = None
    place: _Profiled[ErrorLocation] = None


class Receipt(_Fact):
    """What a run leaves: its pipelines, what they made, and from what. It has at most MAX_RECEIPT_BYTES as JSON."""

    status: _Status
    pipelines: Annotated[tuple[PipelineResult, ...], BeforeValidator(_pipelines)]
    source: Source | None = None
    image: _Word | None = None
    started: AwareDatetime
    ended: AwareDatetime

    @property
    def rows(self) -> int:
        """Return the rows of all pipelines together."""
        return sum(pipeline.rows or 0 for pipeline in self.pipelines)

    @model_validator(mode="wrap")
    @classmethod
    def _fit(cls, given: Any, read: Any) -> Self:
        """Leave out what matters least, until it is small enough."""
        receipt: Self = read(given)
        for reduce in (_without_resources, _without_stats, _with_short_error):
            if len(receipt.model_dump_json().encode()) <= MAX_RECEIPT_BYTES:
                break
            receipt = receipt.model_copy(update={"pipelines": tuple(map(reduce, receipt.pipelines))})
        return receipt


def _without_resources(pipeline: PipelineResult) -> PipelineResult:
    resources = tuple(resource.model_copy(update={"fields": ()}) for resource in pipeline.resources[:1])
    more = [ResourceResult(name=f"{len(pipeline.resources) - 1:,} more")] if len(pipeline.resources) > 1 else []
    return pipeline.model_copy(update={"resources": (*resources, *more)})


def _without_stats(pipeline: PipelineResult) -> PipelineResult:
    return pipeline.model_copy(update={"stats": {}})


def _with_short_error(pipeline: PipelineResult) -> PipelineResult:
    return pipeline.model_copy(update={"error": pipeline.error and shorten(pipeline.error, MAX_SHORT_ERROR)})
