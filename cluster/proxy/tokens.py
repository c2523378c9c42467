"""Tokens of people: a JSON file of their hashes, by which the proxy knows who asks. The tokens are kept nowhere."""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bot.errors import PermanentError
from bot.logs import get_logger
from bot.model.account import Account, Scope
from cluster.limits import MAX_TOKENS_BYTES
from cluster.operator.model import Digest

PREFIX = "dppctl_"

_log = get_logger("dppctl.proxy")


class TokenFileError(PermanentError):
    """The file of the tokens cannot be read, or written."""


class TokenRecord(BaseModel):
    """What is known of a token."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]  # for people: ann's laptop
    user: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}:[^\s:\x00-\x1f\x7f]{1,100}$")]  # token:ann
    sha256: Digest
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    created: str

    def account(self) -> Account:
        """Return whom it belongs to; such a token has no end."""
        return Account(self.user, self.user.partition(":")[2], frozenset(self.scopes), token=self.name)


_RECORDS = TypeAdapter(tuple[TokenRecord, ...])


def make_token(name: str, user: str, scopes: Sequence[Scope]) -> tuple[str, TokenRecord]:
    """Return a new token, and what to keep of it. Raises TokenFileError.

    `user`: PROVIDER:NAME; without a provider it is `token:`, that of this file.
    """
    token = new_token()
    given = {"name": name, "user": user if ":" in user else f"token:{user}", "scopes": tuple(dict.fromkeys(scopes))}
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        return token, TokenRecord.model_validate({**given, "sha256": hash_of(token), "created": created})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TokenFileError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from None


def new_token() -> str:
    """Return a token that nobody can guess: 256 random bits."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> str:
    """Return what a token is known by."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def read_tokens(file: Path) -> tuple[TokenRecord, ...]:
    """Return the records of a file. Raises TokenFileError with one line."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_TOKENS_BYTES + 1)
    except OSError as error:
        raise TokenFileError(f"{file}: {error.strerror}") from None
    if len(content) > MAX_TOKENS_BYTES:
        raise TokenFileError(f"{file}: has more than {MAX_TOKENS_BYTES:,} bytes")
    try:
        return _RECORDS.validate_json(content or b"[]")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise TokenFileError(f"{file}: {where + ': ' if where else ''}{first['msg']}") from None


def write_tokens(file: Path, records: Sequence[TokenRecord]) -> None:
    """Replace the file, whole or not at all; nobody else can read it. Raises TokenFileError."""
    text = json.dumps([record.model_dump(mode="json") for record in records], indent=1, ensure_ascii=False) + "\n"
    new = ""
    try:
        handle, new = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for this user only
        with open(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(new).replace(file)
    except OSError as error:
        if new:
            with suppress(OSError):
                Path(new).unlink()
        raise TokenFileError(f"{file}: {error.strerror}") from None


class KnownTokens:
    """The file's records; read again when it changes, and kept as they were while it is broken."""

    def __init__(self, file: Path) -> None:
        """Read the file. Raises TokenFileError."""
        self._file = file
        self._stamp = self._look()
        self._records = read_tokens(file)

    def find(self, token: str) -> TokenRecord | None:
        """Return what is known of a token; None: it is none. The time that it takes tells nothing of the token."""
        return self.find_hash(hash_of(token))

    def find_hash(self, sha256: str) -> TokenRecord | None:
        """Return what is known of the token with this hash; None: it is none."""
        self._read_again()
        found = None
        for record in self._records:
            if hmac.compare_digest(record.sha256, sha256):
                found = record
        return found

    def of_user(self, user: str) -> tuple[TokenRecord, ...]:
        """Return the records of a user: PROVIDER:NAME."""
        self._read_again()
        return tuple(record for record in self._records if record.user == user)

    def _read_again(self) -> None:
        if (stamp := self._look()) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._records = read_tokens(self._file)
        except TokenFileError as error:
            _log.error("tokens stay as they were", error=error)
        else:
            _log.info("tokens read", count=len(self._records))

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
