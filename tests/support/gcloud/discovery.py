"""Google's published descriptions of its APIs, cut down to what the fake takes and answers (discovery.json).

They are those of https://www.googleapis.com/discovery/v1/apis as google-api-python-client 2.202.0 carries them: the
names, types and words of fields. A field that is not in them, or not of its type, is an error of the fake or of ours.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


def check(api: str, schema: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the value, an object of this schema of the API. Raises ValidationError for one that is not."""
    _validator(api, schema).validate(value)
    return value


@cache
def _validator(api: str, schema: str) -> Draft202012Validator:
    schemas = json.loads(Path(__file__).with_name("discovery.json").read_text())["schemas"][api]
    return Draft202012Validator(
        {"$ref": f"#/$defs/{schema}", "$defs": {name: _strict(found) for name, found in schemas.items()}}
    )


def _strict(found: Any) -> Any:
    """Return a schema in which a reference has a path, and which allows no field that it does not name."""
    if isinstance(found, list):
        return [_strict(part) for part in found]
    if not isinstance(found, dict):
        return found
    made = {key: f"#/$defs/{part}" if key == "$ref" else _strict(part) for key, part in found.items()}
    made.pop("format", None)  # int32 and byte are no formats of JSON Schema
    if isinstance(made.get("properties"), dict) and "$ref" not in made:
        made.setdefault("additionalProperties", False)
    return made
