"""The tables of the auth server: people, their tokens and sessions, and codes of the device flow.

Tokens, sessions and codes are kept as hashes alone. Each change is a migration in `cluster/auth/migrations/versions`; a
test compares the two.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import JSON, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bot.database import DatabaseSchema, UtcTime

AUTH_SCHEMA = DatabaseSchema(
    Path(__file__).parent / "migrations", revision="a0001", variable="DPPCTL_AUTH_DATABASE_URL"
)


class AuthBase(DeclarativeBase):
    """What all tables share."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcTime, list[str]: JSON, str: Text}


class Person(AuthBase):
    """Somebody who has logged in, by what the provider said then."""

    __tablename__ = "people"

    user: Mapped[str] = mapped_column(primary_key=True)  # PROVIDER:SUBJECT, such as github:583231
    login: Mapped[str]  # for people; it may change hands
    owns_login: Mapped[bool]  # whether lists may name the person by it: the first who came with it does
    groups: Mapped[list[str]]  # such as org:hasadna, domain:example.org
    github_token: Mapped[str | None]  # encrypted: asks GitHub who may write to a repository
    created: Mapped[datetime]
    seen: Mapped[datetime]  # the last login


class LoginName(AuthBase):
    """Whose a login was when it was first seen; it stays that person's in lists, whoever has it later."""

    __tablename__ = "login_names"

    name: Mapped[str] = mapped_column(primary_key=True)  # PROVIDER:LOGIN, in small letters
    user: Mapped[str]


class AccessToken(AuthBase):
    """A token of a person's, made on the device flow or by another one."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(primary_key=True)  # by which it is listed and revoked
    sha256: Mapped[str] = mapped_column(unique=True)
    user: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]  # such as ann's laptop
    scopes: Mapped[str]  # separated by spaces
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)
    last_used: Mapped[datetime | None]


class LoginSession(AuthBase):
    """A browser in which somebody is logged in."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(primary_key=True)  # of the cookie's value
    user: Mapped[str] = mapped_column(index=True)
    token_sha256: Mapped[str | None]  # of the token that was logged in with: the session ends with it
    created: Mapped[datetime] = mapped_column(index=True)
    used: Mapped[datetime]


class DeviceCode(AuthBase):
    """A device that waits for somebody to let it in: https://www.rfc-editor.org/rfc/rfc8628."""

    __tablename__ = "device_codes"

    device_hash: Mapped[str] = mapped_column(primary_key=True)
    user_code_hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]  # of the machine, as it says
    address: Mapped[str]  # where the request came from
    scopes: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)
    interval: Mapped[int]  # seconds
    polled: Mapped[datetime | None]
    approved: Mapped[bool | None]  # None: nobody has answered yet
    user: Mapped[str | None]  # who answered


class FailedTry(AuthBase):
    """A wrong code or token, so that who guesses is slowed down; in the database, as several processes count."""

    __tablename__ = "failed_tries"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)  # what was tried, and by whom
    at: Mapped[datetime] = mapped_column(index=True)
