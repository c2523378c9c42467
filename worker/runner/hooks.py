"""The modules of ours that dpp's processes import (worker/hooks), copied to where they find them."""

import os
import pkgutil
from pathlib import Path
from typing import cast

import worker.hooks

PACKAGE = "dppctl_hooks"  # what `hooks/runner` is called there: no module of a workload has that name


def write_hooks(folder: Path) -> None:
    """Make the folder, with all modules in it. Raises OSError."""
    source = worker.hooks.__path__[0]
    _copy(source, "", folder)
    _copy(os.path.join(source, "runner"), "runner/", folder / PACKAGE)


def _copy(source: str, prefix: str, folder: Path) -> None:
    folder.mkdir()
    for module in ("__init__", *(found.name for found in pkgutil.iter_modules([source]))):
        inner = os.path.join(source, module)
        if any(found for found in pkgutil.iter_modules([inner])):
            if prefix:
                _copy(inner, f"{prefix}{module}/", folder / module)
            continue
        content = pkgutil.get_data("worker.hooks", f"{prefix}{module}.py")  # the worker may be a zipapp
        (folder / f"{module}.py").write_bytes(cast(bytes, content))
