"""docs/dppctl-yaml.md and docs/apps-yaml.md say what is true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.model.app_config import parse_app_config
from bot.model.app_config_schema import config_schema
from bot.model.registration import parse_registration
from bot.model.registration_schema import registration_schema

DOCS = Path(__file__).parents[2] / "docs"
PAGE, APPS = (DOCS / "dppctl-yaml.md").read_text(), (DOCS / "apps-yaml.md").read_text()


def keys(schema: dict[str, Any], node: dict[str, Any], above: str = "") -> Iterator[str]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    for one in node.get("anyOf", ()):
        yield from keys(schema, one, above)
    if "items" in node:
        yield from keys(schema, node["items"], above)
    for name, below in node.get("properties", {}).items():
        yield f"{above}{name}"
        yield from keys(schema, below, f"{above}{name}.")


def test_every_key_is_explained_and_no_other() -> None:
    schema = config_schema()
    explained = re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE)
    there = {name.replace("continuousDeployment.", "….") for name in keys(schema, schema)}
    there -= {name for name in there if name.startswith("….actions.expect.")}  # as those of `expect`
    assert set(explained) == there


def test_the_example_is_accepted() -> None:
    example = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    config = parse_app_config(example, "docs/dppctl-yaml.md")
    assert [action.environment for one in config.continuous_deployment for action in one.actions] == [
        "staging",
        "production",
    ]


def test_every_key_of_the_registration_is_explained_and_no_other() -> None:
    schema = registration_schema()
    assert set(re.findall(r"^\| `([^`]+)`", APPS, re.MULTILINE)) == set(keys(schema, schema))


def test_the_registrations_example_is_accepted_and_its_schema_is_the_models() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", APPS, re.DOTALL)
    found = {str(target): target for target in parse_registration(example, "docs/apps-yaml.md")}
    assert sorted(found) == ["ann/data in production", "ann/data in staging", "ann/monorepo/pipelines/tz in live"]
    assert found["ann/monorepo/pipelines/tz in live"].verify == "signed"
    published = json.loads((DOCS / "apps.schema.json").read_text())
    assert published == registration_schema(), "run: python -m bot.model.registration_schema > docs/apps.schema.json"
