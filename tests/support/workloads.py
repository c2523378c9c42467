"""Workloads written in a few lines."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

SLEEPER = """
    sleeper:
      pipeline:
      - run: sleeper
        code: |
            import time
            from datapackage_pipelines.wrapper import ingest
            ingest()
            open("running", "w").close()
            time.sleep(600)
"""  # a pipeline that runs until it is stopped; the file tells that it does


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files, their texts dedented, below the folder, and give the folder. A `.env` is its owner's only."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        if path.name == ".env":
            path.chmod(0o600)
    return folder
