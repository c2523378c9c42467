"""Tells whether the modules that a quick path stands in for are the very ones that it was written for.

Nothing is imported for it: the source is found from the folder of the outermost package.
"""

import hashlib
import os
from importlib.machinery import PathFinder
from typing import Mapping, Optional


def unknown(release: str, files: Mapping[str, str]) -> Optional[str]:
    """Return why a quick path does not apply, in words, or None when all is as it was when it was written.

    release: the distribution and version that the files are of; files: the SHA-256 by a path below its import folder.
    """
    for path, expected in files.items():
        package, _, inner = path.partition("/")
        folder = package_folder(package)
        if folder is None:
            return f"there is no {package}"
        if digest(os.path.join(folder, inner)) != expected:
            return f"{path} is not that of {release}"
    return None


def digest(path: str) -> Optional[str]:
    """Return the SHA-256 of a file, None when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def package_folder(package: str) -> Optional[str]:
    """Return the folder of an outermost package, or None."""
    spec = PathFinder.find_spec(package)
    return next(iter(spec.submodule_search_locations or []), None) if spec is not None else None
