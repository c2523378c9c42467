import json

import jsonschema
import pytest
import yaml

from bot.model.app_config_schema import config_schema
from tests.support.app_configs import FROM_THE_DESIGN
from tests.support.environment import REPOSITORY


def test_the_published_schema_is_the_models() -> None:
    published = json.loads((REPOSITORY / "docs" / "dppctl.schema.json").read_text())
    assert published == config_schema(), "run: python -m bot.model.app_config_schema > docs/dppctl.schema.json"


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("", "", True),
        ("gcloudZone:", "gcloudzone:", False),
        ("environment: staging", "enviroment: staging", False),
        ("environment: staging", "environment: Staging!", False),
        ("branch: master", "branch: 12", False),
        ("tags: true", 'tags: "v*"', True),
    ],
)
def test_an_editor_says_what_we_say(old: str, new: str, fits: bool) -> None:
    content = yaml.safe_load(FROM_THE_DESIGN.replace(old, new, 1) if old else FROM_THE_DESIGN)
    validator = jsonschema.Draft202012Validator(config_schema())
    assert validator.is_valid(content) is fits
