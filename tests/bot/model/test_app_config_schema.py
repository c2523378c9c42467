import json
from contextlib import nullcontext

import jsonschema
import pytest
import yaml

from bot.errors import DppctlError
from bot.model.app_config import parse_app_config
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
        ("branch: master", "branch: yes", False),
        ("tags: true", 'tags: "v*"', True),
        ("tags: true", "tags: 'v[0-9!]*'", True),
        ("tags: true", "tags: 'true'", False),
        ("tags: true", "tags: 'Yes'", False),
        ("tags: true", "tags: refs/tags/v1", False),
        ("tags: true", "tags: release(1)", False),
        ("tags: true", "tags: false", False),
        ("tags: true", "tags: true\n    branch: other", False),
        ("branch: master", "branch: feature/ü-1.x", True),
        ("branch: master", "branch: feat*", False),
        ("branch: master", "branch: refs/heads/master", False),
        ("branch: master", "branch: HEAD", False),
        ("branch: master", "branch: a..b", False),
        ("branch: master", "branch: master.lock", False),
        ("branch: master", "branch: 'a b'", False),
        ("branch: master", "pipeline: all", False),
        ("clusterProvider:", "image: a/b:1\nbuild: {}\nclusterProvider:", False),
    ],
)
def test_an_editor_says_what_we_say(old: str, new: str, fits: bool) -> None:
    content = yaml.safe_load(FROM_THE_DESIGN.replace(old, new, 1) if old else FROM_THE_DESIGN)
    validator = jsonschema.Draft202012Validator(config_schema())
    assert validator.is_valid(content) is fits
    with nullcontext() if fits else pytest.raises(DppctlError):
        parse_app_config(yaml.safe_dump(content), ".dppctl.yaml")
