"""Tokens of people: made, found, listed and revoked. What is kept is the hash; the token itself is shown once."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.errors import PermanentError
from bot.model.account import SCOPES, Scope
from cluster.auth.limits import MAX_NAME, MAX_TOKEN_DAYS, MAX_TOKENS, TOKEN_DAYS
from cluster.auth.tables import AccessToken
from cluster.proxy.tokens import hash_of, new_token


class TokenRequestError(PermanentError):
    """A token was asked for that cannot be made."""


@dataclass(frozen=True)
class TokenRequest:
    """A token that somebody asks for."""

    name: str
    scopes: tuple[Scope, ...]
    days: int = TOKEN_DAYS


def read_token_request(body: object) -> TokenRequest:
    """Return what a JSON body asks for. Raises TokenRequestError that names the field which is wrong."""
    if not isinstance(body, dict):
        raise TokenRequestError('expected JSON: {"name": …, "scopes": […], "days": 90}')
    if unknown := sorted(map(str, body.keys() - {"name", "scopes", "days"})):
        raise TokenRequestError(f"{unknown[0]}: there is no such field; expected name, scopes, days")
    scopes, days = body.get("scopes"), body.get("days", TOKEN_DAYS)
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        raise TokenRequestError(f"scopes: expected a list of {', '.join(SCOPES)}")
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_TOKEN_DAYS:
        raise TokenRequestError(f"days: expected a number from 1 to {MAX_TOKEN_DAYS}")
    return TokenRequest(check_name(body.get("name")), tuple(scopes), days)


def check_name(name: object) -> str:
    """Return a token's name without space around it. Raises TokenRequestError."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise TokenRequestError(f"name: expected up to {MAX_NAME} printable characters, such as ann's laptop")
    return name.strip()


def add_token(session: Session, user: str, wanted: TokenRequest, now: datetime) -> tuple[str, AccessToken]:
    """Return a new token, and what is kept of it. Raises TokenRequestError when there are too many."""
    session.execute(delete(AccessToken).where(AccessToken.expires <= now))
    if (session.scalar(select(func.count()).where(AccessToken.user == user)) or 0) >= MAX_TOKENS:
        raise TokenRequestError(f"you have {MAX_TOKENS} tokens, which is the limit; revoke some: dppctl token revoke")
    token = new_token()
    record = AccessToken(
        id=secrets.token_hex(6),
        sha256=hash_of(token),
        user=user,
        name=wanted.name,
        scopes=joined(wanted.scopes),
        created=now,
        expires=now + timedelta(days=wanted.days),
        last_used=None,
    )
    session.add(record)
    return token, record


def list_tokens(session: Session, user: str | None, now: datetime) -> Sequence[AccessToken]:
    """Return the tokens of a person, or of all (None), that have not ended: the newest first."""
    query = select(AccessToken).where(AccessToken.expires > now).order_by(AccessToken.created.desc(), AccessToken.id)
    return session.scalars(query if user is None else query.where(AccessToken.user == user)).all()


def remove_token(session: Session, identity: str, user: str | None) -> bool:
    """Have a token be worth nothing from now on; None: whosever it is. Return whether there was such a one."""
    query = delete(AccessToken).where(AccessToken.id == identity)
    query = query if user is None else query.where(AccessToken.user == user)
    return session.execute(query.returning(AccessToken.id)).first() is not None


def remove_own(session: Session, token: str) -> bool:
    """Have a token be worth nothing from now on, by itself. Return whether it was one of these."""
    query = delete(AccessToken).where(AccessToken.sha256 == hash_of(token))
    return session.execute(query.returning(AccessToken.id)).first() is not None


def joined(scopes: Collection[str]) -> str:
    """Return scopes as OAuth writes them: separated by spaces, in a fixed order."""
    return " ".join(scope for scope in SCOPES if scope in scopes)


def split_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes that a text names; what is none is left out."""
    given = text.split()
    return frozenset(scope for scope in SCOPES if scope in given)
