"""Names that come from outside, checked by pattern before they reach git, a path or a URL.

Patterns allow less than git does: what they refuse is left alone and reported, never quoted or escaped.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from string import ascii_lowercase, digits

from bot.errors import DppctlError
from bot.limits import MAX_REF

_OWNER_AND_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/(?!.*\.git$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FOLDER = re.compile(r"(?!\.{1,2}$|\.git$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}", re.IGNORECASE)
# git's own rules: https://git-scm.com/docs/git-check-ref-format
_REF = re.compile(
    rf"refs/(?:heads|tags)/(?!.*(?:\.\.|//|/\.|@\{{|\.lock(?:/|$)))(?=.{{1,{MAX_REF}}}$)\w[\w./+@#=%,-]*(?<![./])"
)
_OTHER = re.compile(r"[^\w./+@#=%,-]")  # a character that `_REF` refuses wherever it stands
_GLOB_PART = re.compile(r"(\*+)|(\?)|(\[!?\]?[^\]]*\])|(.)", re.DOTALL)  # as fnmatch takes a pattern apart
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# An environment is a folder here and a namespace on Kubernetes, hence a DNS label.
ENVIRONMENT_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$"


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


def is_environment(text: str) -> bool:
    """Return whether this is the name of an environment."""
    return bool(re.fullmatch(ENVIRONMENT_PATTERN, text))


def is_repository(text: str) -> bool:
    """Return whether this is an `OWNER/REPO`."""
    return bool(_OWNER_AND_REPO.fullmatch(text))


def is_path(text: str) -> bool:
    """Return whether this is a path of plain folders, without `.`, `..`, `.git` or an empty part."""
    return all(_FOLDER.fullmatch(part) for part in text.split("/"))


def is_ref(text: str) -> bool:
    """Return whether this is the full name of a branch or a tag (`refs/heads/…`, `refs/tags/…`)."""
    return bool(_REF.fullmatch(text))


def ref_problem(ref: str) -> str | None:
    """Return why a branch or tag of this full name is not deployed, whatever it holds; None: it may be."""
    if is_ref(ref):
        return None
    name = short(ref)
    if other := _OTHER.search(name):
        problem = f"{other[0]!r} is in its name"
    elif len(name) > MAX_REF:
        problem = f"its name has {len(name)} characters"
    else:
        problem = "its name begins or ends with a mark, or has .. // @{ or .lock in it"
    return f"{problem}; names that are deployed have letters, digits and ./_+@#=%,- only, at most {MAX_REF} of them"


def may_match(pattern: str) -> bool:
    """Return whether a glob can match the name of any tag that `is_ref` accepts: `v1.0!` and `^v` cannot."""
    if len(pattern.replace("*", "")) > MAX_REF:
        return False
    return any(
        is_ref("refs/tags/" + "".join(_example(part, stars) for part in _GLOB_PART.finditer(pattern)))
        for stars in ("x", "")
    )


def _example(part: re.Match[str], stars: str) -> str:
    """Return what a part of a glob matches, a letter or digit if it can; what no name has when it matches nothing."""
    many, one, group, literal = part.groups()
    if many or one:
        return stars if many else "x"
    if group:
        return next((char for char in ascii_lowercase + digits + group if fnmatchcase(char, group)), "?")
    return str(literal)


def is_sha(text: str) -> bool:
    """Return whether this is a full commit id, SHA-1 or SHA-256."""
    return bool(_SHA.fullmatch(text))


def short(ref: str) -> str:
    """Return `master` for `refs/heads/master`, `v1.0.0` for `refs/tags/v1.0.0`."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def kind_and_name(ref: str) -> str:
    """Return `branch master` for `refs/heads/master`, `tag v1.0.0` for `refs/tags/v1.0.0`."""
    return f"{'tag' if ref.startswith('refs/tags/') else 'branch'} {short(ref)}"
