"""Builds the worker into one file: `python -m worker.zipapp_builder worker.pyz`; then `python worker.pyz run all`."""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import List

SOURCES = ("*.py", "hooks/**/*.py", "runner/*.py")


def build(target: Path) -> None:
    """Write the zipapp to this file, atomically. Raises OSError."""
    import zipapp  # once for each version of the worker

    with tempfile.TemporaryDirectory(prefix="dppctl-worker-") as folder:
        copy_sources(Path(folder))
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        zipapp.create_archive(folder, part, interpreter="/usr/bin/env python3", compressed=True)
        part.chmod(0o644)  # an image's own user reads it, whatever the umask is
        os.replace(str(part), str(target))


def copy_sources(folder: Path) -> None:
    """Copy the worker into a folder, so that Python can run that. Raises OSError."""
    package = Path(__file__).parent
    for source in _sources(package):
        copy = folder / "worker" / source.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(source), str(copy))
    shutil.copyfile(str(package / "__main__.py"), str(folder / "__main__.py"))


def fingerprint() -> str:
    """Return a name for what `build` would write; it changes when a source does."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in _sources(package):
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def _sources(package: Path) -> List[Path]:
    return sorted(source for pattern in SOURCES for source in package.glob(pattern))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
