"""The JSON Schema of `apps.yaml`, for editors: `python -m bot.model.registration_schema > docs/apps.schema.json`."""

import json
from typing import Any

from bot.model.registration import Registration


def registration_schema() -> dict[str, Any]:
    """Return the schema of the model. What only the model checks is not in it, such as names of repositories."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made by `python -m bot.model.registration_schema`.",
        **Registration.model_json_schema(),
        "title": "apps.yaml",
        "description": "Which apps the bot deploys, and which environments of which ops repo each may touch.",
    }


if __name__ == "__main__":
    print(json.dumps(registration_schema(), indent=2))
