"""Profiles that are loaded once judge as they did: right and wrong descriptors, again and again."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython

NAMES = ["data-package", "data-resource", "tabular-data-package", "tabular-data-resource", "table-schema"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", ""])},
    optional={
        "type": st.sampled_from(["string", "integer", "any", "nonsense", None]),
        "format": st.sampled_from(["default", "email", 5]),
        "constraints": st.fixed_dictionaries(
            {}, optional={"required": st.booleans(), "minimum": st.integers() | st.text(), "enum": st.lists(JSON)}
        ),
    },
)
SCHEMAS = JSON | st.fixed_dictionaries(
    {"fields": st.lists(FIELDS, max_size=3)},
    optional={"primaryKey": st.sampled_from(["a", "c", ["a", "b"], ("a",)]), "missingValues": st.just([""]) | JSON},
)
RESOURCES = JSON | st.fixed_dictionaries(
    {"name": st.sampled_from(["r", "R r", 1, True]), "path": st.sampled_from(["r.csv", ["r.csv"], ("r.csv",), 1.0])},
    optional={"schema": SCHEMAS, "profile": st.sampled_from(NAMES), "dialect": JSON},
)
PACKAGES = JSON | st.fixed_dictionaries({"resources": st.lists(RESOURCES, max_size=2)}, optional={"name": JSON})


@pytest.fixture(scope="module")
def profiles(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("profiles")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), PACKAGES | RESOURCES | SCHEMAS)
def test_a_descriptor_is_judged_as_by_the_profile_itself(profiles: DppPython, name: str, descriptor: object) -> None:
    assert profiles.differences((name, descriptor)) == []


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Point", "coordinates": [34.8, 32.1]},
        {"type": "Point", "coordinates": ["x"]},
        {"type": "Feature", "geometry": None, "properties": {}},
        {},
    ],
)
def test_geojson_is_judged_as_before(profiles: DppPython, value: object) -> None:
    assert profiles.differences(("geojson", value)) == []


@pytest.mark.parametrize("name", ["fiscal-data-package", "nonsense", {"type": "object"}, {"type": 5}, None])
def test_a_profile_that_is_none_of_the_four_is_loaded_and_checked_as_before(profiles: DppPython, name: object) -> None:
    assert profiles.differences((name, {"resources": []})) == []
