"""The receipt of a run, written so that a reader finds all of it or none (DESIGN: Receipt).

On Kubernetes its summary is the container's termination message.
"""

import json
import os
from pathlib import Path
from typing import Any, Dict, Optional

from worker.limits import SUMMARY_BYTES, SUMMARY_ERROR_CHARACTERS

TERMINATION_LOG = Path("/dev/termination-log")


def write_receipt(receipt: Dict[str, Any], target: Optional[Path]) -> None:
    """Write the receipt to the target, if there is one. Raises OSError."""
    if target is None:
        return
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(receipt, indent=2) + "\n")
    os.replace(str(part), str(target))


def write_summary(receipt: Dict[str, Any]) -> None:
    """Write the summary to the termination message, where there is such a file."""
    if TERMINATION_LOG.is_file():
        TERMINATION_LOG.write_text(summary(receipt))


def summary(receipt: Dict[str, Any], limit: int = SUMMARY_BYTES) -> str:
    """Return the receipt as JSON of at most `limit` bytes: what does not fit goes, the least important first."""
    short = dict(receipt)
    short["pipelines"] = [dict(pipeline) for pipeline in receipt["pipelines"]]
    for field in (None, "profile", "stats", "resources", "hash", "bytes", "seconds"):
        for pipeline in short["pipelines"]:
            if field == "profile":
                pipeline["resources"] = [_without_profile(resource) for resource in pipeline["resources"]]
            pipeline.pop(field, None)
        text = json.dumps(short)
        if len(text) <= limit:
            return text
    for most in SUMMARY_ERROR_CHARACTERS:
        for pipeline in short["pipelines"]:  # whose first line says it
            pipeline["error"] = (pipeline["error"] or "").partition("\n")[0][:most] or None
        text = json.dumps(short)
        if len(text) <= limit:
            return text
    while len(json.dumps(short)) > limit and short["pipelines"]:
        fine = [found for found in short["pipelines"] if found["status"] == "succeeded"]
        short["pipelines"].remove((fine or short["pipelines"])[-1])
        short["left_out"] = short.get("left_out", 0) + 1
    return json.dumps(short)


def _without_profile(resource: Dict[str, Any]) -> Dict[str, Any]:
    fields = [{"name": field["name"], "type": field["type"]} for field in resource["fields"]]
    return {**resource, "fields": fields}
