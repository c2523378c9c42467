"""What a Job's pipelines staged, as the worker writes it."""

import json
from collections.abc import Mapping
from pathlib import Path


def stage(folder: Path, files: Mapping[str, bytes], *items: dict[str, str]) -> Path:
    """Write a folder as `worker run --publication` does."""
    for path, content in files.items():
        file = folder / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "items.json").write_text(json.dumps({"items": items, "left_out": []}))
    return folder
