"""Judges descriptors with and without the quick profiles, twice with them."""

import copy
from functools import cache
from typing import Any

import datapackage.profile
import tableschema.profile
from dppctl_hooks.quick import profiles

from tests.support.quick.comparing import loaded_again, outcome, serve

OF_PACKAGES = datapackage.profile.Profile
OF_SCHEMAS = tableschema.profile.Profile
PACKAGES_BEFORE = loaded_again(datapackage.profile).Profile
SCHEMAS_BEFORE = loaded_again(tableschema.profile).Profile


def compare(case: Any) -> Any:
    """Return the outcomes that differ for a profile's name and a descriptor."""
    name, descriptor = case
    before = copy.deepcopy(descriptor)
    classes = (SCHEMAS_BEFORE, OF_SCHEMAS) if name in ("table-schema", "geojson") else (PACKAGES_BEFORE, OF_PACKAGES)
    if isinstance(name, str):
        old, new = _loaded(*classes, name)
    else:
        old, new = (outcome(lambda cls=cls: cls(name).jsonschema) for cls in classes)
    if isinstance(old, tuple) or isinstance(new, tuple):  # neither was loaded, for the same reason
        return [] if old == new else [old, new]
    answers = [outcome(profile.validate, descriptor) for profile in (old, new, new)]
    return answers if len(set(answers)) > 1 or repr(before) != repr(descriptor) else []


@cache
def _loaded(old: Any, new: Any, name: str) -> Any:
    try:
        profiles = old(name), new(name)
    except Exception:  # noqa: BLE001 - it is compared
        return outcome(old, name), outcome(new, name)
    assert profiles[0].jsonschema == profiles[1].jsonschema == new(name).jsonschema
    if new is OF_PACKAGES:  # what somebody does to what was given is seen by nobody else
        profiles[1].jsonschema.clear()
        assert profiles[1].jsonschema == new(name).jsonschema == profiles[0].jsonschema
    return profiles


if __name__ == "__main__":
    assert profiles.applies() is None, profiles.applies()
    profiles.install()
    serve(compare)
