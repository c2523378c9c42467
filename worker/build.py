"""Builds the worker into one file: `python -m worker.build worker.pyz`; then `python worker.pyz run all`."""

import os
import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

SOURCES = ("*.py", "hooks/*.py")


def build(target: Path) -> None:
    """Write the zipapp to this file, atomically. Raises OSError."""
    package = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="dppctl-worker-") as folder:
        for pattern in SOURCES:
            for source in sorted(package.glob(pattern)):
                copy = Path(folder, "worker", source.relative_to(package))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(source), str(copy))
        shutil.copyfile(str(package / "__main__.py"), str(Path(folder, "__main__.py")))
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        zipapp.create_archive(folder, part, interpreter="/usr/bin/env python3", compressed=True)
        os.replace(str(part), str(target))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
