"""Who somebody is, and what they may do: what the auth server answers, and proxy and pages go by."""

from dataclasses import dataclass, field
from typing import Literal, get_args

Scope = Literal["read", "run", "deploy", "ssh", "admin"]
SESSION_COOKIE = "__Host-dppctl"  # of a login: Secure, HttpOnly, SameSite=Lax, for all paths of the public host
SCOPES: tuple[Scope, ...] = get_args(Scope)
PERSON_SCOPES: tuple[Scope, ...] = ("read", "run", "deploy", "ssh")  # what a person's commands need


@dataclass(frozen=True)
class Account:
    """Whom a token or a session belongs to."""

    user: str  # PROVIDER:SUBJECT, such as github:583231, which stays when the login changes
    login: str  # for people, such as OriHoch
    scopes: frozenset[Scope]
    groups: frozenset[str] = frozenset()  # such as org:hasadna, domain:example.org
    token: str = ""  # the token's name, such as ann's laptop; of a session: none
    csrf: str = field(default="", repr=False)  # of a session: what each of its forms carries

    @property
    def is_admin(self) -> bool:
        """Return whether everything is allowed."""
        return "admin" in self.scopes

    @property
    def scope_names(self) -> tuple[Scope, ...]:
        """Return the scopes, in the order in which people are shown them."""
        return tuple(scope for scope in SCOPES if scope in self.scopes)


@dataclass(frozen=True)
class Permission:
    """Whether somebody may do something, and why (or why not), in a line for people."""

    allowed: bool
    reason: str
