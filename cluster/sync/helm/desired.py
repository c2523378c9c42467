"""What the ops repo wants of a cluster: for each environment a release and a fingerprint of all it is made of.

Pure. The fingerprint travels as a label of the release, so that a look at helm's own records tells what is deployed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from bot.errors import DppctlError
from bot.model.registration import Target

_NAME_CHARACTERS = 40
PREVIEW_VALUES = "previews"  # the folder, in the place of an environment's, of people's values for all previews
FINGERPRINT_CHARACTERS = 40  # a label's value has 63 at most

Entry = tuple[str, str] | None  # kind and id, as a mirror's `entries` gives them


@dataclass(frozen=True)
class ReleaseTarget:
    """Where an environment is in the cluster."""

    target: Target
    namespace: str
    release: str


@dataclass(frozen=True)
class Desired:
    """What is to be deployed to an environment."""

    fingerprint: str
    ops_head: str  # the ops repo's commit that was read
    chart: str  # the id of its tree
    value_files: tuple[str, ...]  # paths in the ops repo, in the order that helm takes them


def release_name(target: Target) -> str:
    """Return `app-1a2b3c`: the app's last name for people, and a hash, so that no two environments share a release."""
    last = str(target.app).rsplit("/", 1)[-1].lower()
    readable = re.sub(r"[^a-z0-9-]+", "-", last).strip("-")[:_NAME_CHARACTERS].strip("-") or "app"
    if not readable[0].isalpha():
        readable = f"app-{readable}"[:_NAME_CHARACTERS]  # a Service's name starts with a letter
    return f"{readable}-{sha256(f'{target.app} {target.environment}'.encode()).hexdigest()[:6]}"


def chart_path(target: Target) -> str:
    """Return the chart's path in the ops repo."""
    return target.ops.file("chart")


def paths(target: Target) -> tuple[str, str, str]:
    """Return the paths in the ops repo of what is deployed: the chart, people's values, the bot's values.

    Previews have people's values in common, as nobody knows their names before.
    """
    by_people = target.ops.file(
        f"environments/{PREVIEW_VALUES if target.is_preview else target.environment}/values.yaml"
    )
    return chart_path(target), by_people, target.values_file


def desired_at(location: ReleaseTarget, ops_head: str, entries: Mapping[str, Entry]) -> Desired | None:
    """Return what is to be deployed; None: the ops repo says nothing of this environment.

    `entries`: kind and id of each of `paths` at the ops repo's commit `ops_head`. Raises DppctlError without a chart.
    """
    found = [entries[path] for path in paths(location.target)]
    chart, people, bot = found
    if bot is None:
        return None
    if chart is None or chart[0] != "tree":
        path = f"{location.target.ops}:{chart_path(location.target)}"
        raise DppctlError(f"{path}: there is no chart; copy dppctl-pipelines there (see ops_repo_template)")
    text = "\n".join([*(entry[1] if entry else "" for entry in found), location.release, location.namespace])
    fingerprint = sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
    _, by_people, by_bot = paths(location.target)
    return Desired(fingerprint, ops_head, chart[1], (by_people, by_bot) if people else (by_bot,))
