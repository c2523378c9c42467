"""The machine user's token: whose it is, what it may do, and what is missing. Decided from plain facts.

Which permissions are needed for what: docs/github.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Access = Literal["none", "read", "write", "admin"]
_RANKS: tuple[Access, ...] = ("none", "read", "write", "admin")
_SOON = timedelta(days=7)

STEPS = """\
To set up continuous deployment you need a GitHub machine user: an account of its own for dppctl (GitHub's terms do
not let a program create one: https://docs.github.com/get-started/learning-about-github/types-of-github-accounts).
  1. Sign up at {web}/signup, with an e-mail address of its own.
  2. Give it write access to {ops} and {app} (Settings, Collaborators), and accept as that user; or give
     dppctl init your own token (--owner-token-file), and it does both.
  3. As that user make a token: {web}/settings/tokens/new, scope `repo`; or a fine-grained one for these repositories
     with Contents, Commit statuses, Deployments: read and write; and Pull requests, if branches have previews.
A GitHub App (--app-id) or, if GitHub need not show deployments, a deploy key (--deploy-key) can stand in for it.
"""


@dataclass(frozen=True)
class Token:
    """What GitHub says of a token."""

    login: str
    scopes: frozenset[str] | None  # None: a fine-grained one, which does not tell
    expires: datetime | None
    access: Mapping[str, Access]  # to repositories, OWNER/REPO


def problems(token: Token, needed: Mapping[str, Access], now: datetime) -> list[str]:
    """Return what is missing for these accesses, each in one line that says what to do."""
    found = []
    if token.expires and token.expires <= now:
        found.append(f"the token of {token.login} expired on {token.expires:%Y-%m-%d}; make a new one")
    if token.scopes is not None and not token.scopes & {"repo", "public_repo"}:
        held = ", ".join(sorted(token.scopes)) or "none"
        found.append(f"the token of {token.login} lacks the scope `repo` (it has: {held}); make one that has it")
    for repository, access in needed.items():
        has = token.access.get(repository, "none")
        if _RANKS.index(has) < _RANKS.index(access):
            only = "no" if has == "none" else f"only {has}"
            found.append(
                f"{token.login} has {only} access to {repository} and needs {access}; invite it there with that role, "
                "or select the repository for the token"
            )
    return found


def summary(token: Token, now: datetime) -> str:
    """Return what the token is and may do, in one line for its owner."""
    kind = "fine-grained" if token.scopes is None else f"scopes {', '.join(sorted(token.scopes)) or 'none'}"
    reach = ", ".join(f"{name}: {access}" for name, access in token.access.items())
    until = ""
    if token.expires:
        soon = " soon" if token.expires - now < _SOON else ""
        until = f"; expires{soon} on {token.expires:%Y-%m-%d}"
    return f"the token is {token.login}'s ({kind}); {reach}{until}"
