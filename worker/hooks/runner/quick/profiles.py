"""Loads and checks the bundled profiles of data packages and schemas once in a process, not dozens of times.

The meta-schema's check of a bundled profile is left out, as its file is a known one. A descriptor that was found valid
is valid when it comes again: it is known by its contents, if those are plain (`marshal` refuses all else).
"""

import copy
import hashlib
import marshal
from importlib import import_module
from typing import Any, Dict, Optional, Set, Tuple

from .known import unknown

DATAPACKAGE_FILES = {
    "datapackage/profile.py": "6a61d20ca0f263dbf1f3cbf077cf171509bac9817d4c11e9110bf97bfbf1058a",
    "datapackage/registry.py": "20feba6352f5e8a9995b15396d0ed649fa895c9cbe7335f468f28364241749bc",
    "datapackage/profiles/registry.json": "26af31e42c90f1973fea1434817608a7f26cd6fd009cdd35ee7c8c92384f3539",
    "datapackage/profiles/data-package.json": "706b418bade6bfb79fd180c83829a4d97062d7fc4eaa7a2a9ef04754071cbe9f",
    "datapackage/profiles/data-resource.json": "1249cacfa3d2356300288410417d9bada88aa42b78ef69b9cf225ece23e10031",
    "datapackage/profiles/tabular-data-package.json": (
        "d3c2d06d4eb7dfd2d0ff53573ce9b0b53476c327dd19662b2babcdf8ea61d03f"
    ),
    "datapackage/profiles/tabular-data-resource.json": (
        "2e2d1ae2e359ad799749941db821c1ce94ed49fe4b56020810cf40e1a6a0534b"
    ),
}
TABLESCHEMA_FILES = {
    "tableschema/profile.py": "b7b062ce82d54bcaff299906474e5bd25d9fc792603137372f7c1653bfb62f95",
    "tableschema/profiles/table-schema.json": "e842574fa795ec6cf09db539980950c5440972907a31311ec4cf08fea7f8b84f",
    "tableschema/profiles/geojson.json": "e6f61090ae8659141a9a2d1e55904cf48f7619833e1642283a1434fc0402ba58",
}
BUNDLED = ("data-package", "data-resource", "tabular-data-package", "tabular-data-resource")
MARSHAL_VERSION = 2  # the first with exact floats, and without references, which depend on more than the contents
MOST_VALID = 10_000  # descriptors that are remembered, by 32 bytes each


def applies() -> Optional[str]:
    """Return None, or why profiles are loaded and checked as ever."""
    return unknown("datapackage 1.15.4", DATAPACKAGE_FILES) or unknown("tableschema 1.21.0", TABLESCHEMA_FILES)


def install() -> None:
    """Change the profiles of datapackage and of tableschema."""
    of_packages = import_module("datapackage.profile").Profile
    of_schemas = import_module("tableschema.profile").Profile
    _load_once(of_packages)
    _validate_once(of_packages, BUNDLED)
    _validate_once(of_schemas, ("table-schema",))
    _check_geojson_once(of_schemas)


def _load_once(profile_class: Any) -> None:
    load, jsonschema = profile_class.__init__, profile_class.jsonschema
    check = profile_class._check_schema
    loaded: Dict[str, Dict[str, Any]] = {}

    def init(self: Any, profile: Any) -> None:
        if type(profile) is not str or profile not in BUNDLED or type(self) is not profile_class:
            load(self, profile)
        elif profile in loaded:
            self.__dict__.update(loaded[profile])
        else:
            load(self, profile)
            loaded[profile] = dict(self.__dict__)

    def check_schema(self: Any) -> None:
        if self._name not in BUNDLED:
            check(self)

    profile_class.__init__ = init
    profile_class._check_schema = check_schema
    # Who changes what is given here changes a copy, as ever.
    profile_class.jsonschema = property(lambda self: copy.deepcopy(jsonschema.fget(self)), doc=jsonschema.__doc__)


def _validate_once(profile_class: Any, names: Tuple[str, ...]) -> None:
    validate = profile_class.validate
    valid: Set[bytes] = set()

    def validate_once(self: Any, descriptor: Any) -> Any:
        name = self.name
        try:
            known = type(name) is str and name in names
            key = hashlib.sha256(marshal.dumps((name, descriptor), MARSHAL_VERSION)).digest() if known else b""
        except ValueError:
            return validate(self, descriptor)
        if key in valid:
            return True
        result = validate(self, descriptor)  # raises what is wrong
        if key and len(valid) < MOST_VALID:
            valid.add(key)
        return result

    profile_class.validate = validate_once


def _check_geojson_once(profile_class: Any) -> None:
    validate = profile_class.validate
    schema = profile_class("geojson").jsonschema
    validator = import_module("jsonschema.validators").validator_for(schema)(schema)

    def validate_value(self: Any, value: Any) -> Any:
        if self.jsonschema is schema and validator.is_valid(value):
            return None
        return validate(self, value)

    profile_class.validate = validate_value
