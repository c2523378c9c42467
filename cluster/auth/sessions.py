"""Login sessions of browsers: an opaque token in a cookie, of which the hash is kept."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from cluster.auth.limits import SESSION_IDLE_SECONDS, SESSION_SECONDS
from cluster.auth.tables import LoginSession
from cluster.proxy.tokens import hash_of

_IDLE, _LONGEST = timedelta(seconds=SESSION_IDLE_SECONDS), timedelta(seconds=SESSION_SECONDS)


def begin_session(session: Session, user: str, token_sha256: str | None, now: datetime) -> str:
    """Return the token of a new login session. `token_sha256`: of the token that was logged in with."""
    session.execute(
        delete(LoginSession).where(or_(LoginSession.created < now - _LONGEST, LoginSession.used < now - _IDLE))
    )
    token = secrets.token_urlsafe(32)
    session.add(LoginSession(sha256=hash_of(token), user=user, token_sha256=token_sha256, created=now, used=now))
    return token


def end_session(session: Session, token: str) -> bool:
    """End the session of a cookie's value; return whether there was one."""
    ended = session.execute(delete(LoginSession).where(LoginSession.sha256 == hash_of(token)))
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def session_end(login: LoginSession) -> datetime:
    """Return when a session ends, unless it is used before."""
    return min(login.used + _IDLE, login.created + _LONGEST)
