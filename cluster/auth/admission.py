"""Who gets in, and what they may do: pure, from the lists of the settings and from what is known of a person."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.model.account import SCOPES, Scope

_EVERYTHING = frozenset(SCOPES)
_OF_PEOPLE = _EVERYTHING - {"admin"}
_OF_EVERYBODY = _OF_PEOPLE - {"deploy"}
EVERYBODY = "*"  # among the users: whoever logs in, as on a public cluster; admins are always named


@dataclass(frozen=True)
class Lists:
    """Whom the settings name. Each entry is PROVIDER:SUBJECT, a login (of others than GitHub a verified address)."""

    admins: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()  # of GitHub
    domains: tuple[str, ...] = ()  # of verified addresses


@dataclass(frozen=True)
class PersonFacts:
    """What lists can name of a person."""

    user: str  # PROVIDER:SUBJECT
    login: str = ""  # "": it is not the person's own, so lists do not mean it
    groups: frozenset[str] = frozenset()  # org:NAME, domain:NAME


def is_listed(entries: Iterable[str], person: PersonFacts) -> bool:
    """Return whether one of the entries names the person: by user, by login, or by a group such as org:hasadna."""
    names = {name.casefold() for name in (person.user, person.login, *person.groups) if name}
    return any(entry.casefold() in names for entry in entries)


def granted_scopes(lists: Lists, person: PersonFacts) -> frozenset[Scope]:
    """Return what the lists let a person do; nothing: no list names the person."""
    if is_listed(lists.admins, person):
        return _EVERYTHING
    groups = (*(f"org:{name}" for name in lists.organizations), *(f"domain:{name}" for name in lists.domains))
    if is_listed((*lists.users, *groups), person):
        return _OF_PEOPLE
    return _OF_EVERYBODY if EVERYBODY in lists.users else frozenset()
