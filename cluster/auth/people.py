"""People who have logged in: recorded by the provider's number, never by the login, which may change hands."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import exists, update
from sqlalchemy.orm import Session

from bot.database import upsert
from cluster.auth.admission import PersonFacts
from cluster.auth.limits import MAX_GROUPS, SESSION_SECONDS
from cluster.auth.tables import AccessToken, LoginName, LoginSession, Person


@dataclass(frozen=True)
class ProvenIdentity:
    """What a provider says of somebody who logs in."""

    user: str  # PROVIDER:SUBJECT
    login: str  # for people
    groups: frozenset[str] = frozenset()
    is_login_proven: bool = True  # False: the person chose it, so no list means it
    github_token: str = field(default="", repr=False)


def record_person(session: Session, identity: ProvenIdentity, encrypted_token: str | None, now: datetime) -> Person:
    """Write down what a provider says of somebody, and return it. The session's transaction has it."""
    changes = {
        "login": identity.login,
        "owns_login": identity.is_login_proven and _owns_login(session, identity),
        "groups": sorted(identity.groups)[:MAX_GROUPS],
        "github_token": encrypted_token,
        "seen": now,
    }
    upsert(session, Person, {"user": identity.user}, {**changes, "created": now}, changes)
    return session.get_one(Person, identity.user, populate_existing=True)


def forget_unused_tokens(session: Session, now: datetime) -> None:
    """Forget the tokens of GitHub of people who have neither a session nor a token here any more."""
    long_ago = Person.seen < now - timedelta(seconds=SESSION_SECONDS)
    used = [exists().where(table.user == Person.user) for table in (LoginSession, AccessToken)]
    session.execute(update(Person).where(long_ago, *(~each for each in used)).values(github_token=None))


def known(person: Person | None, user: str) -> PersonFacts:
    """Return what lists can name of a person; None: nothing but `user` is known."""
    if person is None:
        return PersonFacts(user)
    return PersonFacts(user, person.login if person.owns_login else "", frozenset(person.groups))


def _owns_login(session: Session, identity: ProvenIdentity) -> bool:
    """Return whether nobody else came with this login before: then lists that name it mean this person."""
    name = f"{identity.user.partition(':')[0]}:{identity.login}".casefold()
    upsert(session, LoginName, {"name": name}, {"user": identity.user}, {})
    return session.get_one(LoginName, name).user == identity.user
