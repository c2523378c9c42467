"""Receipts of runs for tests, and strategies of hypothesis for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from bot.model.receipt import Receipt

_TIME = "2026-01-01T00:00:00Z"
_TYPES = st.sampled_from(["string", "integer", "date"])
_NAMES = st.sampled_from(["a", "b", "c", "d"])
_COUNT = st.integers(0, 3) | st.integers(0, 10**12)


def resource(name: str, rows: int | None, fields: str = "id", **more: Any) -> dict[str, Any]:
    """Return a resource of a receipt; fields: `name:type:nulls …`, of which the last two may be left out."""
    parts = [field.split(":") for field in fields.split()]
    found = [
        {"name": part[0], "type": [*part, "string"][1] if len(part) > 1 else "string"}
        | ({"nulls": int(part[2])} if len(part) > 2 else {})
        for part in parts
    ]
    return {"name": name, "rows": rows, "fields": found, **more}


def pipeline(pipeline_id: str, *resources: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a pipeline of a receipt, which succeeded."""
    return {"id": pipeline_id, "status": "succeeded", "resources": [*resources], **more}


def receipt_of(*pipelines: Mapping[str, Any], status: str = "succeeded") -> Receipt:
    """Return a receipt of these pipelines."""
    return Receipt.model_validate({"status": status, "pipelines": [*pipelines], "started": _TIME, "ended": _TIME})


def data_of(*resources: Mapping[str, Any], **more: Any) -> Receipt:
    """Return a receipt of one pipeline that made these resources."""
    return receipt_of(pipeline("./load", *resources, **more))


def _resources() -> st.SearchStrategy[Sequence[dict[str, Any]]]:
    field = st.fixed_dictionaries({"name": _NAMES, "type": _TYPES}, optional={"nulls": _COUNT})
    fields = st.lists(field, max_size=4, unique_by=lambda part: part["name"])  # there are four names
    found = st.fixed_dictionaries({"name": _NAMES, "rows": _COUNT | st.none(), "fields": fields})
    return st.lists(found, max_size=4, unique_by=lambda part: part["name"])


def receipts() -> st.SearchStrategy[Receipt]:
    """Return a strategy of receipts of which each says all that there is."""
    found = st.fixed_dictionaries(
        {"id": _NAMES, "status": st.just("succeeded"), "resources": _resources()},
        optional={"hash": st.sampled_from(["1", "2"])},
    )
    return st.lists(found, max_size=3, unique_by=lambda part: part["id"]).map(lambda parts: receipt_of(*parts))
