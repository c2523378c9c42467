"""What registries and logins write: JSON, in which a field that is null is as good as left out."""

from typing import Any

from pydantic import BaseModel, model_validator


class Lenient(BaseModel):
    """A model whose fields keep their defaults where the JSON says null, as Go writes for what is empty."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given
