"""What changed in the data from one run to another, as plain data; `bot.data.compare` finds it."""

from pydantic import BaseModel, ConfigDict


class _Change(BaseModel):
    model_config = ConfigDict(frozen=True)


class RetypedColumn(_Change):
    """A column that has another type now."""

    name: str
    before: str
    after: str


class NullsChange(_Change):
    """A column in which more rows have no value than before."""

    name: str
    before: int
    after: int


class ResourceChange(_Change):
    """What changed in a resource of a pipeline.

    before, after: its rows; None: it was not there, or is not any more, or they were not counted. is_new, is_gone: one
    of the first two. is_same: the pipeline's rows have the same hash as before. is_known: both runs say which columns
    there were.
    """

    pipeline: str
    name: str
    before: int | None = None
    after: int | None = None
    is_new: bool = False
    is_gone: bool = False
    is_same: bool = False
    is_known: bool = True
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[RetypedColumn, ...] = ()
    nulls: tuple[NullsChange, ...] = ()


class DataChange(_Change):
    """What changed in the data of an environment, resource by resource, in the order of the newer run.

    before: the deployment that it is compared with, by its number; None: there was nothing before. rows_before, rows:
    of all resources together. notes: what could not be compared, a sentence each.
    """

    before: int | None = None
    rows_before: int | None = None
    rows: int = 0
    resources: tuple[ResourceChange, ...] = ()
    notes: tuple[str, ...] = ()
    summary: str = ""  # for people, in one line: `90,225 rows (+137) in 3 tables, 1 column gone: email`
