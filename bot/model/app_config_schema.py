"""The JSON Schema of `.dppctl.yaml`, for editors: `python -m bot.model.app_config_schema > docs/dppctl.schema.json`."""

import json
from typing import Any, get_args

from bot.model.app_config import AppConfig, Provider


def config_schema() -> dict[str, Any]:
    """Return the schema of the model. What only the model checks is not in it, such as names of repositories.

    Of what can never be triggered a pattern says most.
    """
    schema = AppConfig.model_json_schema()
    providers = sorted({provider.partition("-")[0] for provider in get_args(Provider)})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made by `python -m bot.model.app_config_schema`.",
        **schema,
        "title": ".dppctl.yaml",
        "description": "What an app says about itself, above all which push deploys it where.",
        # A provider's own settings begin with its name: gcloudProjectId.
        "patternProperties": {f"^({'|'.join(providers)})[A-Z]": {}},
        "additionalProperties": False,
        "not": {
            "required": ["image", "build"],
            "properties": {"image": {"type": "string"}, "build": {"type": "object"}},
        },
    }


if __name__ == "__main__":
    print(json.dumps(config_schema(), indent=2))
