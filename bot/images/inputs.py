"""What goes into an image beside the app's files: its base images, the runtime, arguments and secrets of its build.

The same files with the same inputs are the same image, which is not built again.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_DIGITS = 12  # of a tag; enough to tell one app's inputs apart


def tag_of(tree: str, inputs: Mapping[str, Any]) -> str:
    """Return the tag of an image: the id that git gives to the files, and digits that change with the inputs."""
    text = json.dumps(inputs, sort_keys=True)
    return f"{tree}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def fingerprints(files: Mapping[str, Path], key_file: Path) -> dict[str, str]:
    """Return what changes with each secret's content and does not give it away, by its name.

    `key_file` is made when it is not there: without it nobody can try contents. Another key makes other images.
    """
    key = _key(key_file) if files else b""
    return {name: hmac.new(key, file.read_bytes(), hashlib.sha256).hexdigest() for name, file in files.items()}


def _key(file: Path) -> bytes:
    with suppress(FileNotFoundError):
        return file.read_bytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent) as part:  # for its owner only
        part.write(secrets.token_bytes(32))
        part.flush()
        with suppress(FileExistsError):  # somebody else was first
            os.link(part.name, file)
    return file.read_bytes()
