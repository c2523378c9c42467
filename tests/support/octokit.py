"""GitHub's real payloads and their JSON Schema, from npm, kept in the cache by version.

https://github.com/octokit/webhooks
"""

import json
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from cluster.local.folders import cache_dir
from tests.support.needs import declared

VERSION = "7.6.1"
PAYLOADS = 329  # that this version has


@cache
def payloads() -> list[tuple[str, dict[str, Any]]]:
    """Each with its event's name."""
    events = json.loads((package("webhooks-examples") / "api.github.com" / "index.json").read_text())
    return [(event["name"], example) for event in events for example in event["examples"]]


@cache
def schema(event: str) -> dict[str, Any]:
    """What a payload of the event must look like."""
    whole: dict[str, Any] = json.loads((package("webhooks-schemas") / "schema.json").read_text())
    return {"$schema": whole["$schema"], "definitions": whole["definitions"], "$ref": f"#/definitions/{event}$event"}


@cache
def validator(event: str) -> Validator:
    """Return what checks payloads of the event. The schema itself, megabytes of GitHub's, is not checked each time."""
    found = schema(event)
    return validator_for(found)(found)


def package(name: str, version: str = VERSION, only: str = "") -> Path:
    """The folder of an unpacked package; `only`: a file, when the others are not needed."""
    declared("npm")
    folder = cache_dir() / "tests" / f"octokit-{name}-{version}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            packed = subprocess.run(
                ["npm", "pack", "--silent", f"@octokit/{name}@{version}"],
                cwd=temporary, capture_output=True, text=True, check=True,
            )  # fmt: skip
            with tarfile.open(Path(temporary) / packed.stdout.split()[-1]) as archive:
                wanted = [archive.getmember(f"package/{only}")] if only else None
                archive.extractall(temporary, wanted, filter="data")
            try:
                (Path(temporary) / "package").rename(folder)
            except OSError:
                assert folder.is_dir()  # another test process was quicker
    return folder
