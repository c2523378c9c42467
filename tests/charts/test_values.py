"""Values: what is wrong is refused with a message that says what, and all that there are are documented."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import CHART, run_helm, template
from tests.support.environment import REPOSITORY

WRONG = {
    "an unknown key": ({"resourses": {}}, r"additional propert.*resourses|resourses.*not allowed"),
    "an unknown key below": ({"database": {"enable": True}}, r"/?database.*enable"),
    "a tag instead of a digest": ({"image": "app:latest"}, r"image.*pattern"),
    "a text for a switch": ({"database": {"enabled": "yes"}}, r"database.enabled.*boolean"),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, r"runAsUser"),
    "a negative number": ({"backoffLimit": -1}, r"backoffLimit"),
    "a crontab of four fields": ({"pipelines": [{"id": "./a", "schedule": "0 6 * *"}]}, r"pipelines.0.schedule"),
    "a size with a wrong unit": ({"database": {"size": "8 GB"}}, r"database.size"),
    "a number as a variable": ({"env": [{"name": "YEAR", "value": 2026}]}, r"env.0.value.*string"),
    "an absolute folder": ({"storage": {"folder": "/data"}}, r"storage.folder"),
    "a folder above": ({"storage": {"folder": "../data"}}, r"storage.folder"),
    "a remote in the bucket's path": ({"storage": {"bucket": {"path": "s3:bucket"}}}, r"storage.bucket.path"),
    "no image": ({"image": None}, r"image is not set: .* Set DPPCTL_REGISTRY"),
    "a bucket without credentials": ({"storage": {"bucket": {"path": "data"}}}, r"storage.bucket.existingSecret: name"),
    "an empty section": ({"schedules": None}, r"schedules.* required|missing property 'schedules'"),
    "an empty section below": ({"storage": {"volume": None}}, r"volume.* required|missing property 'volume'"),
    "empty limits": ({"resources": None}, r"resources.* required|missing property 'resources'"),
    "empty limits below": ({"database": {"resources": None}}, r"resources.* required|missing property 'resources'"),
    "no size": ({"database": {"size": None}}, r"size.* required|missing property 'size'"),
    "two databases": ({"database": {"enabled": True, "existingSecret": "x"}}, r"database: .* exclude each other"),
    "pages of no database": ({"database": {"ui": {"enabled": True}}}, r"database.ui.enabled: there is no database"),
    "a site of nothing": ({"site": {"enabled": True}}, r"site.enabled: .* set storage.volume.enabled"),
    "schedules on workers that are to copy": (
        {"workers": {"enabled": True, "schedules": True}, "storage": {"volume": {"enabled": True}}},
        r"workers.schedules: workers copy nothing",
    ),
    "schedules on workers that write to what people read": (
        {"workers": {"enabled": True, "schedules": True}, "database": {"enabled": True}},
        r"workers.schedules: workers write to the database that people read",
    ),
    "an Ingress without a name": (
        {"storage": {"volume": {"enabled": True}}, "site": {"enabled": True, "ingress": {"enabled": True}}},
        r"site.ingress.host: the name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("major", [4, 3])
@pytest.mark.parametrize(("values", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.needs("helm")
def test_what_is_wrong_is_refused(tmp_path: Path, values: dict[str, Any], message: str, major: int) -> None:
    done = template(tmp_path, bot_values(), values, major=major)
    assert done.returncode != 0
    assert re.search(message, done.stderr), done.stderr


@pytest.mark.parametrize("major", [4, 3])
@pytest.mark.needs("helm")
def test_lint_passes_and_finds_what_is_wrong(tmp_path: Path, major: int) -> None:
    for content in ({}, bot_values()):
        file = tmp_path / "values.yaml"
        file.write_text(json.dumps(content))
        done = run_helm("lint", CHART, "--strict", "--values", file, major=major)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run_helm("lint", CHART, "--set", "backoffLimit=-1", major=major)
    assert done.returncode != 0
    assert "backoffLimit" in done.stdout + done.stderr


def test_every_value_is_in_the_readme_with_its_default() -> None:
    defaults = YAML(typ="safe").load(CHART / "values.yaml")
    schema = json.loads((CHART / "values.schema.json").read_text())
    wanted = dict(leaves(schema, defaults))
    table = (CHART / "README.md").read_text().partition("\n## Values\n")[2]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert {name: json.loads(default) for name, default, _ in rows} == wanted
    assert [name for name, _, _ in rows] == list(wanted)
    assert len(rows) == table.count("\n|") - 2 + table.startswith("|")


def test_values_and_schema_have_the_same_keys() -> None:
    def keys(one: Any, below: Any) -> Any:
        if not isinstance(below, dict) or one.get("type") != "object" or "properties" not in one:
            return True
        return {name: keys(one["properties"].get(name, {}), value) for name, value in below.items()}

    def schema_keys(one: Any) -> Any:
        if one.get("type") != "object" or "properties" not in one:
            return True
        return {name: schema_keys(below) for name, below in one["properties"].items() if name != "global"}

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert keys(schema, YAML(typ="safe").load(CHART / "values.yaml")) == schema_keys(schema)


def test_the_charts_version_is_dppctls() -> None:
    chart = YAML(typ="safe").load(CHART / "Chart.yaml")
    version = re.search(r'^version = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert chart["version"] == chart["appVersion"] == version[1]
    worker = YAML(typ="safe").load(CHART / "values.yaml")["worker"]["image"]
    assert worker.endswith(f":{version[1]}")


def leaves(schema: Any, values: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """The values that the schema does not go below, such as `resources` as a whole, with their defaults."""
    for name, below in schema["properties"].items():
        if name == "global":
            continue
        if "properties" in below and below["type"] == "object":
            yield from leaves(below, values[name], f"{at}{name}.")
        else:
            yield at + name, values[name]
