"""The servers' token: whose it is, what it may do, and what is missing. Decided from plain facts.

Which permissions are needed for what: docs/github.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Access = Literal["none", "read", "write", "admin"]
_RANKS: tuple[Access, ...] = ("none", "read", "write", "admin")
_SOON = timedelta(days=7)

_FORM = "{web}/settings/personal-access-tokens/new"
_STEPS = """\
dppctl's servers read {app} on GitHub, write {ops}, and show
there what came of each push. They use one of:
- a token of yours. Make it at
    {form}
    Resource owner: {owner}
    Repository access: Only select repositories: {app} and {ops}
    (make {ops} before, private and empty: {web}/new)
    Repository permissions, each Read and write:
      Contents          to read the app, and to commit what each environment runs
      Deployments       to show each deployment on GitHub
      Commit statuses   to show beside each commit what came of it
      Webhooks          with a webhook only: init makes it, and looks after it
      Pull requests     with previews only: to comment on what they have
  or a classic one with the scope `repo`, which may make {ops} too:
    {web}/settings/tokens/new
- a deploy key, which belongs to nobody and does not expire; GitHub does not show
  deployments then. Begin again (Ctrl-C): dppctl init --deploy-key
Later, by running init again: a user of its own for dppctl (a machine user), with
such a token and write access to both repositories; or a GitHub App (--app-id).
"""


def steps(web: str, app: str, ops: str) -> str:
    """Return what is said where a token is asked for: what to make, where, with which permissions, and why each."""
    return _STEPS.format(web=web, app=app, ops=ops, form=_FORM.format(web=web), owner=ops.partition("/")[0])


def how_to_get(web: str) -> str:
    """Return the same in a line, for who is asked nothing."""
    return (
        f"make a token at {_FORM.format(web=web)} (Contents, Deployments, Commit statuses: Read and write), and give "
        "--token-file FILE; or --deploy-key with a token of yours"
    )


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
