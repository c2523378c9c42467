"""Previews: environments that branches have of their own, as long as the branch is there.

Their names begin with `preview-`; `apps.yaml` registers all of an app's at once, as `preview-*`.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256

from bot.model.names import may_match, ref_problem, short

PREVIEWS = "preview-*"  # in apps.yaml
PREFIX = "preview-"
_MOST_CHARACTERS = 50  # of an environment's name
_HASH_CHARACTERS = 8


@dataclass(frozen=True)
class PreviewRules:
    """How many previews an app has at the same time, and since when a branch has to be pushed to have one."""

    most: int
    since: datetime


@dataclass(frozen=True)
class PreviewLimits:
    """How many previews an app has at the same time, and how many days after the last push to its branch each goes."""

    most: int
    days: float

    def rules(self, now: datetime) -> PreviewRules:
        """Return what that means at a moment."""
        return PreviewRules(self.most, now - timedelta(days=self.days))


def preview_of(branch: str) -> str:
    """Return the name of a branch's environment, a DNS label: `preview-new-chart` for `new-chart`.

    A name that had to be cut or changed ends with a hash of the branch's, so that no two branches are meant by it.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    if plain == branch and len(PREFIX + plain) <= _MOST_CHARACTERS:
        return PREFIX + plain
    mark = sha256(branch.encode(errors="surrogateescape")).hexdigest()[:_HASH_CHARACTERS]
    kept = plain[: _MOST_CHARACTERS - len(PREFIX) - 1 - _HASH_CHARACTERS].strip("-")
    return PREFIX + "-".join(part for part in (kept, mark) if part)


def is_preview(environment: str) -> bool:
    """Return whether this is the name of a preview, or the pattern that stands for all of them."""
    return environment.startswith(PREFIX)


def is_among(environment: str, names: Container[str]) -> bool:
    """Return whether an environment is one of these, which may have `preview-*` among them."""
    return environment in names or (is_preview(environment) and environment != PREVIEWS and PREVIEWS in names)


def glob_problem(glob: str) -> str | None:
    """Return why a glob matches no branch that can be deployed; None: it may match one."""
    if glob.startswith("refs/"):
        return f"{glob} is no branch's name; write {short(glob)}"
    if not set(glob) & set("*?["):
        problem = ref_problem(f"refs/heads/{glob}")
        return f"{glob!r} can never be pushed: {problem}" if problem else None
    return None if may_match(glob) else f"{glob!r} can match no branch; write * ? and [a-z] for what varies"


def matches(glob: str, ref: str) -> bool:
    """Return whether a glob means the branch of this full name; `*` means a `/` too."""
    return ref.startswith("refs/heads/") and fnmatchcase(ref.removeprefix("refs/heads/"), glob)
