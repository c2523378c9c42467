"""Which files of an app are specs, by their paths, as dpp 2.2.11 has it: see bot/model/pipeline_specs.py."""

import re
from collections.abc import Callable
from fnmatch import translate
from pathlib import PurePosixPath

from bot.errors import DppctlError
from bot.limits import MAX_PATTERNS
from bot.model.file_names import IGNORE_FILE, SPEC_FILE

GENERATED = ".source-spec.yaml"


def is_spec(path: str) -> bool:
    """Return whether the file is needed to know an app's pipelines."""
    name = PurePosixPath(path).name
    return name in (SPEC_FILE, IGNORE_FILE) or name.endswith(GENERATED)


def ignored_by(content: bytes) -> Callable[[str], bool]:
    """Return whether `.dpp_spec_ignore` with this content excludes a path, or a folder above it."""
    patterns = {pattern.strip("/") for pattern in content.decode(errors="replace").split()}
    if len(patterns) > MAX_PATTERNS:
        raise DppctlError(f"{IGNORE_FILE}: {len(patterns):,} patterns, and {MAX_PATTERNS:,} are read at most")
    of_paths, of_names = (
        re.compile(
            "|".join(translate(pattern) for pattern in sorted(patterns) if ("/" in pattern) is has_folder) or "(?!)"
        )
        for has_folder in (True, False)
    )

    def is_ignored(path: str) -> bool:
        parts = PurePosixPath(path).parts
        above = ("/".join(parts[: end + 1]) for end in range(len(parts)))
        return is_hidden(path) or any(map(of_names.match, parts)) or any(map(of_paths.match, above))

    return is_ignored


def is_hidden(path: str) -> bool:
    """Return whether a file, or a folder above it, is one that dpp does not look at."""
    return any(part.startswith(".") for part in PurePosixPath(path).parts)
