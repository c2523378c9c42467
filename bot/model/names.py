"""Names that come from outside, checked by pattern before they reach git, a path or a URL.

Patterns allow less than git does: what they refuse is left alone and reported, never quoted or escaped.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from bot.errors import DppctlError

_OWNER_AND_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/(?!.*\.git$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FOLDER = re.compile(r"(?!\.{1,2}$|\.git$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}", re.IGNORECASE)
# git's own rules: https://git-scm.com/docs/git-check-ref-format
_REF = re.compile(r"refs/(?:heads|tags)/(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|$)))\w[\w./+@#=%,-]{0,200}(?<![./])")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# An environment is a folder here and a namespace on Kubernetes, hence a DNS label.
Environment = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$")]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


@dataclass(frozen=True, order=True)
class RepoPath:
    """A folder in a repository: `OWNER/REPO[/PATH/IN/REPO]`."""

    repository: str  # OWNER/REPO
    path: str = ""  # without slashes at its ends; "" is the repository's root

    @classmethod
    def parse(cls, text: str) -> "RepoPath":
        """Parse `OWNER/REPO[/PATH/IN/REPO]`. Raises DppctlError for another form, or a part such as `..`."""
        owner, _, rest = text.partition("/")
        repo, _, path = rest.partition("/")
        repository = f"{owner}/{repo}"
        if not _OWNER_AND_REPO.fullmatch(repository) or ("/" in rest and not is_path(path)):
            raise DppctlError(f"{text[:200]!r} is not of the form OWNER/REPO or OWNER/REPO/PATH/IN/REPO")
        return cls(repository, path)

    def __str__(self) -> str:
        return f"{self.repository}/{self.path}" if self.path else self.repository

    def file(self, name: str) -> str:
        """Return the path, within the repository, of a file below this folder."""
        return f"{self.path}/{name}" if self.path else name

    @property
    def slug(self) -> str:
        """Return a folder's name for this path. No part may hold a `+`, so two paths never share one."""
        return str(self).replace("/", "+")


def is_repository(text: str) -> bool:
    """Return whether this is an `OWNER/REPO`."""
    return bool(_OWNER_AND_REPO.fullmatch(text))


def is_path(text: str) -> bool:
    """Return whether this is a path of plain folders, without `.`, `..`, `.git` or an empty part."""
    return all(_FOLDER.fullmatch(part) for part in text.split("/"))


def is_ref(text: str) -> bool:
    """Return whether this is the full name of a branch or a tag (`refs/heads/…`, `refs/tags/…`)."""
    return bool(_REF.fullmatch(text))


def is_sha(text: str) -> bool:
    """Return whether this is a full commit id, SHA-1 or SHA-256."""
    return bool(_SHA.fullmatch(text))


def short(ref: str) -> str:
    """Return `master` for `refs/heads/master`, `v1.0.0` for `refs/tags/v1.0.0`."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
