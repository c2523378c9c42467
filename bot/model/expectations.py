"""What an app expects of its data: `expect:` in `.dppctl.yaml`. `bot.data.expectations` checks it."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from bot.limits import MAX_CONFIG_ENTRIES
from bot.model.documents import Part
from bot.model.name_types import Environment

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_Name = Annotated[StrictStr, Field(min_length=1, max_length=200)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1, max_length=MAX_CONFIG_ENTRIES)]
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,30})?(e-[0-9]{1,3})?")


def _number(given: object) -> object:
    """Return the number that a text is: our YAML is read without any, so that an id stays as it was written."""
    if not isinstance(given, str) or not _NUMBER.fullmatch(given):
        return given
    return int(given) if given.lstrip("-").isdigit() else float(given)


_Integer = Annotated[StrictInt, BeforeValidator(_number), Field(ge=0)]
_Percent = Annotated[StrictInt | StrictFloat, BeforeValidator(_number), Field(ge=0, le=100, allow_inf_nan=False)]
_CHECKS = ("minRows", "maxDropPercent", "columns", "notNull", "unique")
_A_CHECK = {"anyOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in _CHECKS]}


class Expectation(Part):
    """What some resources of an app's data have to be like, for the environment to take that data."""

    model_config = ConfigDict(json_schema_extra=cast("JsonDict", _A_CHECK))

    resource: _Name | None = None  # a resource's name, or a glob; None: all
    min_rows: _Integer | None = None
    # Of the rows that were there before, at most so many percent may be gone.
    max_drop_percent: _Percent | None = None
    columns: Literal["keep"] | None = None  # none removed, none of another type
    not_null: _Names | None = None  # columns in which every row has a value
    unique: _Names | None = None  # columns whose values together are another in each row
    # Whose data counts as what was before: that environment's. None: this environment's own.
    compared_with: Environment | None = None
    # Where it stands in its file, which does not say so itself; `parse_app_config` does.
    line: SkipJsonSchema[int | None] = None

    @field_validator("not_null", "unique")
    @classmethod
    def _names_each_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value and (twice := [name for index, name in enumerate(value) if name in value[:index]]):
            raise ValueError(f"{twice[0]} stands there twice")
        return value

    @model_validator(mode="after")
    def _expects_something(self) -> "Expectation":
        checks = (self.min_rows, self.max_drop_percent, self.columns, self.not_null, self.unique)
        if all(check is None for check in checks):
            raise ValueError(f"an expectation has at least one of {', '.join(_CHECKS)}")
        if self.compared_with is not None and self.max_drop_percent is None and self.columns is None:
            raise ValueError("comparedWith is for maxDropPercent and columns; there is neither")
        return self

    @property
    def compares(self) -> bool:
        """Return whether it needs to know what was before."""
        return self.max_drop_percent is not None or self.columns is not None

    def is_for(self, resource: str) -> bool:
        """Return whether it is about the resource of this name."""
        return self.resource is None or fnmatchcase(resource, self.resource)


def unique_columns(expect: Sequence[Expectation]) -> list[dict[str, Any]]:
    """Return what a worker has to check while rows pass, as its request has it (worker/unique.py)."""
    return [{"resource": each.resource, "columns": list(each.unique)} for each in expect if each.unique]
