"""Imports redis, openpyxl and SQLAlchemy when they are used, which takes half of the start of a dpp process.

The modules that import them get stand-ins: their `import` is ours, and no other module's. A package that does not lie
beside dataflows, such as a `redis.py` of the user's, is imported as ever.
"""

import builtins
import importlib
import os
import sys
from importlib.machinery import PathFinder
from typing import Any, Optional, Tuple

from .known import package_folder, unknown

LATER = {
    "datapackage_pipelines.status.backend_redis": ("redis",),
    "dataflows.processors.dumpers.formats.format_excel": ("openpyxl",),
    "dataflows.processors.dumpers.to_sql": ("sqlalchemy", "tableschema_sql"),
    "dataflows.processors.parsers.sql_parser": ("sqlalchemy",),
}
DPP_FILES = {
    "datapackage_pipelines/status/backend_redis.py": "27f15ae3c4e8bed734c53bdbc70b4d10f8ccedd950c4273acfce3a6a6dec9772"
}
DATAFLOWS_FILES = {
    "dataflows/processors/dumpers/formats/format_excel.py": (
        "7f0ac8c352b144dabd44848257ad12486a88677f75d4c9557ed45d5f5b612322"
    ),
    "dataflows/processors/dumpers/to_sql.py": "61278bb5f4b34e242f24b18b728959e653846025004c7c2d31624ae58863cc9d",
    "dataflows/processors/parsers/sql_parser.py": "052422e7fd00f4355867d6f70b575eb2082c4447db159b35bff36434c7b72c0a",
}


def applies() -> Optional[str]:
    """Return None, or why these imports stay as they are."""
    reason = unknown("datapackage-pipelines 2.2.11", DPP_FILES) or unknown("dataflows 0.5.12", DATAFLOWS_FILES)
    if reason:
        return reason
    beside = os.path.dirname(package_folder("dataflows") or "")
    for package in sorted({package for packages in LATER.values() for package in packages}):
        if os.path.dirname(package_folder(package) or "") != beside:
            return f"{package} does not lie beside dataflows"
    return None


def install() -> None:
    """Have what is imported from now on import these packages late."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        later = LATER.get(name)
        spec = PathFinder.find_spec(name, path, target) if later else None
        if later is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_with_import(module: Any) -> None:
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_of(later)}
            execute(module)

        spec.loader.exec_module = execute_with_import  # type: ignore[method-assign]
        return spec


def _import_of(later: Tuple[str, ...]) -> Any:
    """Return what stands in for `__import__` in a module: it gives stand-ins for these packages."""

    def import_(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name in later and not level and name not in sys.modules:
            return _Later(name)
        return builtins.__import__(name, globals_, locals_, fromlist, level)

    return import_


class _Later:
    """Stands for a package, or something in it, and imports it when it is used."""

    def __init__(self, package: str, attribute: str = "") -> None:
        self._later: Tuple[str, str] = (package, attribute)

    def _real(self) -> Any:
        package, attribute = self._later
        module = importlib.import_module(package)
        if not attribute:
            return module
        if hasattr(module, attribute):
            return getattr(module, attribute)
        return importlib.import_module(f"{package}.{attribute}")

    def __getattr__(self, name: str) -> Any:
        package, attribute = self._later
        if attribute or name.startswith("__"):
            return getattr(self._real(), name)
        return _Later(package, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, self._real())

    def __mro_entries__(self, bases: Any) -> Tuple[Any, ...]:
        return (self._real(),)

    def __repr__(self) -> str:
        return repr(self._real())
