"""Codes of the device flow: kept as hashes, answered by a person, taken once."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.model.account import Scope
from cluster.auth.limits import (
    DEVICE_CODE_SECONDS,
    DEVICE_GRACE_SECONDS,
    DEVICE_INTERVAL_SECONDS,
    DEVICE_SLOWER_SECONDS,
)
from cluster.auth.service import AuthService, FoundAccount
from cluster.auth.tables import AccessToken, DeviceCode
from cluster.auth.tokens import TokenRequest, add_token, joined, split_scopes


@dataclass(frozen=True)
class DeviceRequest:
    """Who asks to be let in."""

    name: str  # of the machine, as it says
    address: str
    scopes: frozenset[Scope]


class DeviceCodes:
    """The codes in the database."""

    def __init__(self, service: AuthService) -> None:
        """Keep them where the service keeps people."""
        self._service = service

    def add(self, device_code: str, user_code: str, wanted: DeviceRequest) -> None:
        """Write down a device that waits; those that ended a while ago are forgotten."""
        now = self._service.clock()
        with self._service.database.write() as session:
            forgotten = now - timedelta(seconds=DEVICE_CODE_SECONDS)  # until then a device is told that it is over
            session.execute(delete(DeviceCode).where(DeviceCode.expires < forgotten))
            session.add(
                DeviceCode(
                    device_hash=_device_hash(device_code),
                    user_code_hash=self._user_code_hash(user_code),
                    name=wanted.name,
                    address=wanted.address,
                    scopes=joined(wanted.scopes),
                    created=now,
                    expires=now + timedelta(seconds=DEVICE_CODE_SECONDS),
                    interval=DEVICE_INTERVAL_SECONDS,
                )
            )

    def find(self, device_code: str) -> DeviceCode | None:
        """Return what is known of a device's code."""
        with self._service.database.read() as session:
            return session.get(DeviceCode, _device_hash(device_code))

    def find_waiting(self, user_code: str) -> DeviceCode | None:
        """Return the device whose code somebody typed, if it waits for an answer."""
        with self._service.database.read() as session:
            return self._waiting(session, user_code)

    def answer(self, user_code: str, person: FoundAccount, *, allow: bool) -> DeviceCode | None:
        """Let a device in, with what both it asks for and the person may, or not; None: it does not wait any more."""
        with self._service.database.write() as session:
            if (code := self._waiting(session, user_code)) is None:
                return None
            scopes = joined(split_scopes(code.scopes) & person.account.scopes)
            given = {"approved": allow, "user": person.account.user, "scopes": scopes}
            still = DeviceCode.device_hash == code.device_hash, DeviceCode.approved.is_(None)
            changed = session.execute(update(DeviceCode).where(*still).values(given).returning(DeviceCode.name)).first()
        return code if changed else None

    def is_too_early(self, code: DeviceCode) -> bool:
        """Note that a device asks; return whether it did so too early: then it has to wait longer each time."""
        now = self._service.clock()
        with self._service.database.write() as session:
            kept = session.get(DeviceCode, code.device_hash)
            if kept is None:
                return False
            pause = timedelta(seconds=kept.interval - DEVICE_GRACE_SECONDS)
            early = kept.polled is not None and now < kept.polled + pause
            kept.interval += DEVICE_SLOWER_SECONDS if early else 0
            kept.polled = now
        return early

    def take(self, code: DeviceCode) -> tuple[str, AccessToken] | None:
        """Return the token of a device that was let in; its code is gone then. None: somebody took it before.

        Raises TokenRequestError, and then the code stays.
        """
        with self._service.database.write() as session:
            of_code = DeviceCode.device_hash == code.device_hash, DeviceCode.approved.is_(True)
            row = session.execute(
                delete(DeviceCode).where(*of_code).returning(DeviceCode.user, DeviceCode.scopes)
            ).first()
            if row is None or row.user is None:
                return None
            scopes = split_scopes(row.scopes) & self._service.granted(session, row.user)
            wanted = TokenRequest(code.name, tuple(sorted(scopes)))
            return add_token(session, row.user, wanted, self._service.clock()) if scopes else None

    def _waiting(self, session: Session, user_code: str) -> DeviceCode | None:
        query = select(DeviceCode).where(DeviceCode.user_code_hash == self._user_code_hash(user_code))
        return session.scalar(query.where(DeviceCode.approved.is_(None), DeviceCode.expires > self._service.clock()))

    def _user_code_hash(self, user_code: str) -> str:
        """Return what a code is known by, however it was typed: `abcd efgh` is `ABCD-EFGH`."""
        return self._service.keys.code_hash("".join(filter(str.isalnum, user_code.upper()))[:20])


def _device_hash(device_code: str) -> str:
    return hashlib.sha256(device_code.encode(errors="replace")).hexdigest()
