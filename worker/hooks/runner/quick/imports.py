"""Imports requests, SQLAlchemy and others when they are used: they take more than half of the start of a dpp process.

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
    "datapackage_pipelines.status.hook_sender": ("requests",),
    "datapackage_pipelines.lib.stream_remote_resources": ("requests",),
    "dataflows.processors.dumpers.formats.format_excel": ("openpyxl",),
    "dataflows.processors.dumpers.to_sql": ("sqlalchemy", "tableschema_sql"),
    "dataflows.processors.parsers.sql_parser": ("sqlalchemy",),
    "dataflows.processors.duplicate": ("kvfile",),
    "dataflows.processors.join": ("kvfile",),
    "dataflows.processors.printer": ("tabulate",),
    "dataflows.processors.sort_rows": ("bitstring", "kvfile"),
    "datapackage.helpers": ("requests",),
    "datapackage.package": ("requests",),
    "datapackage.profile": ("requests",),
    "datapackage.registry": ("requests",),
    "datapackage.resource": ("requests",),
    "tableschema.helpers": ("requests",),
    "tabulator.loaders.remote": ("requests",),
}
# What dpp loads at each start, where it is not late: nobody's module may have these names.
ALWAYS = frozenset(("bitstring", "click", "kvfile", "requests", "tabulate"))
COMMANDS = ("datapackage.cli", "tableschema.cli", "tabulator.cli")  # of these packages, for a terminal, by click
FILES = {
    "datapackage-pipelines 2.2.11": {
        "datapackage_pipelines/status/backend_redis.py": (
            "27f15ae3c4e8bed734c53bdbc70b4d10f8ccedd950c4273acfce3a6a6dec9772"
        ),
        "datapackage_pipelines/status/hook_sender.py": (
            "e1ed607bc212c5866f704ae9f86d735b8c3fdd26a2dd0731871f6434b2d0e22e"
        ),
        "datapackage_pipelines/lib/stream_remote_resources.py": (
            "6d505bfca37a683624415441ff227d158a7cb774cb2afed55f6b031f7525db0e"
        ),
    },
    "dataflows 0.5.12": {
        "dataflows/processors/dumpers/formats/format_excel.py": (
            "7f0ac8c352b144dabd44848257ad12486a88677f75d4c9557ed45d5f5b612322"
        ),
        "dataflows/processors/dumpers/to_sql.py": "61278bb5f4b34e242f24b18b728959e653846025004c7c2d31624ae58863cc9d",
        "dataflows/processors/parsers/sql_parser.py": (
            "052422e7fd00f4355867d6f70b575eb2082c4447db159b35bff36434c7b72c0a"
        ),
        "dataflows/processors/duplicate.py": "470309efe5c397abd6d1033fbb3f9b00baf2adc9c36fafa63e563bde1040b866",
        "dataflows/processors/join.py": "d2f1ee6143ab958cc4ab73d163299b28f543c63af2b76f5f6e0c5957418379f7",
        "dataflows/processors/printer.py": "67a5b82de73b54d1d664b879d541b0b244494563f11e36fcd24e47109fbe29ad",
        "dataflows/processors/sort_rows.py": "5cad4f8daaf86aba196934741ab62d9b5784259587de4963378eac3fe2cb12e5",
    },
    "datapackage 1.15.4": {
        "datapackage/cli.py": "298f8fac1dad504bc2d258434bee35c0991d4107c11cd78bc3525eb4dee9c505",
        "datapackage/helpers.py": "ae5526fb65335d1c614fe5b2b8081f2b39fe874be57db497d8aa23788e51db09",
        "datapackage/package.py": "cf2b7fe09a4a26ce6ca8f84f1f7529a08914dacf5ee11d3725454c3672cb1be5",
        "datapackage/profile.py": "6a61d20ca0f263dbf1f3cbf077cf171509bac9817d4c11e9110bf97bfbf1058a",
        "datapackage/registry.py": "20feba6352f5e8a9995b15396d0ed649fa895c9cbe7335f468f28364241749bc",
        "datapackage/resource.py": "59dbd97a9db22d94e26b3064f0eb4e9381a59771018d562c04aef55a00c21cfe",
    },
    "tableschema 1.21.0": {
        "tableschema/cli.py": "a22e57f5086c4f3cd440d57db847be7e4f92067b28e6bf51ceced622e6a8a268",
        "tableschema/helpers.py": "abb867849e3514dd5b59b10397b6fd9ce463042e59616e9b41677f86f54dc67c",
    },
    "dataflows-tabulator 1.54.3": {
        "tabulator/cli.py": "ecff536c58824346b78677738bb07a1c97ad452d3e4dbc24c203429d428c7f1e",
        "tabulator/loaders/remote.py": "a98fba30f2c13f6a4acfb5b12b5ecdd5b21526372ef344bc548f284b3bcb825b",
    },
}


def applies() -> Optional[str]:
    """Return None, or why these imports stay as they are."""
    reason = next(filter(None, (unknown(release, files) for release, files in FILES.items())), None)
    if reason:
        return reason
    beside = os.path.dirname(package_folder("dataflows") or "")
    for package in sorted({package for packages in LATER.values() for package in packages}):
        if os.path.dirname(_place_of(package)) != beside:
            return f"{package} does not lie beside dataflows"
    return None


def _place_of(package: str) -> str:
    """Return the folder of a package, or the file of a module."""
    folder = package_folder(package)
    if folder is None:
        spec = PathFinder.find_spec(package)
        folder = spec.origin if spec is not None else None
    return folder or ""


def install() -> None:
    """Have what is imported from now on import these packages late."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        later = LATER.get(name)
        spec = self._found(name, path, target) if later or name in COMMANDS else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_with_import(module: Any) -> None:
            if later is None:
                module.cli = _LaterCommand(module, execute)
                return
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_of(later)}
            execute(module)
            if name == "datapackage.package":
                _open_files_first(module)

        spec.loader.exec_module = execute_with_import
        return spec

    def _found(self, name: str, path: Any, target: Any) -> Any:
        """Return what the finders behind this one find: one of them is ours too, and extends some of these modules."""
        behind = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(name, path, target) for finder in behind)
        return next((spec for spec in specs if spec is not None), None)


def _import_of(later: Tuple[str, ...]) -> Any:
    """Return what stands in for `__import__` in a module: it gives stand-ins for these packages."""

    def import_(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        package = name.partition(".")[0]
        if package in later and not level and package not in sys.modules:
            return _Later(name if fromlist else package)
        return builtins.__import__(name, globals_, locals_, fromlist, level)

    return import_


def _open_files_first(package: Any) -> None:
    """Have `datapackage.package` open paths of files without asking requests, which would say that they are no URLs."""
    extract = package._extract_zip_if_possible

    def quick_extract(descriptor: Any) -> Any:
        if type(descriptor) is str and ":" not in descriptor and not package.zipfile.is_zipfile(descriptor):
            return None, descriptor
        return extract(descriptor)

    package._extract_zip_if_possible = quick_extract


class _LaterCommand:
    """Stands for the command of a package: its module is executed when the command is used."""

    def __init__(self, module: Any, execute: Any) -> None:
        self._module, self._execute = module, execute

    def _real(self) -> Any:
        if self._module.cli is self:
            self._execute(self._module)
        return self._module.cli

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)


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
