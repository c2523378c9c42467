"""Asks the auth server who somebody is, and whether they may deploy an app."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests

from bot.errors import PermanentError, TransientError
from bot.limits import ACCOUNT_SECONDS, ACCOUNTS_ANSWER_SECONDS, MAX_ACCOUNTS
from bot.model.account import SCOPES, Account, Permission


class AccountsAwayError(TransientError):
    """The auth server does not answer, or not now."""


class AccountsRefusedError(PermanentError):
    """The auth server does not take what this server shows it."""


class Accounts(Protocol):
    """Who is who. The auth server itself is one, and so is what asks it."""

    def identify(self, token: str) -> Account | None:
        """Return whose token or session it is; None: nobody's, or not any more. Raises AccountsAwayError."""

    def may_deploy(self, token: str, app: str) -> Permission:
        """Return whether its person may deploy an app (OWNER/REPO[/PATH]). Raises AccountsAwayError."""


@dataclass(frozen=True)
class RememberedAccount:
    """What the auth server said last of a token."""

    account: Account | None  # None: it was nobody's
    holds: bool  # it is not too old to go by


class AccountsClient:
    """Asks over HTTP (RFC 7662, https://www.rfc-editor.org/rfc/rfc7662). Several threads may.

    What it is told of a token holds for half a minute, so that a token that is revoked is refused soon. Of sessions
    nothing is remembered: after a logout their cookie is refused at once.
    """

    def __init__(self, url: str, token_file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`url`: of the auth server, without a path; the file has what it knows this server by."""
        self._url, self._token_file, self._clock = url, token_file, clock
        self._known: OrderedDict[str, tuple[float, Account | None]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, token: str) -> RememberedAccount | None:
        """Return what is remembered of a token, without asking."""
        with self._lock:
            known = self._known.get(_key(token))
        return RememberedAccount(known[1], known[0] > self._clock()) if known else None

    def identify(self, token: str) -> Account | None:
        """Return whose token or session it is; None: nobody's. Raises AccountsAwayError and AccountsRefusedError."""
        if (known := self.recall(token)) is not None and known.holds:
            return known.account
        found = _account(self._ask("introspect", {"token": token}))
        key = _key(token)
        with self._lock:
            self._known.pop(key, None)
            if found is None or not found.csrf:
                self._known[key] = self._clock() + ACCOUNT_SECONDS, found
            if len(self._known) > MAX_ACCOUNTS:
                self._known.popitem(last=False)
        return found

    def may_deploy(self, token: str, app: str) -> Permission:
        """Return whether its person may deploy an app. Raises AccountsAwayError and AccountsRefusedError."""
        answer = self._ask("permissions", {"token": token, "app": app})
        return Permission(answer.get("deploy") is True, str(answer.get("reason", "")))

    def _ask(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self._url}/auth/{path}"
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            with requests.Session() as session:  # each its own: they are not made for several threads
                session.trust_env = False  # no proxy between us; no .netrc instead of the token
                answer = session.post(
                    url, data=form, headers=headers, timeout=ACCOUNTS_ANSWER_SECONDS, allow_redirects=False
                )
            if answer.status_code in (401, 403):
                raise AccountsRefusedError(f"{url} refuses this server: {answer.status_code}; it knows another token")
            if answer.status_code != 200:
                raise AccountsAwayError(f"{url} does not answer as it should: {answer.status_code}")
            found = answer.json()
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors
            raise AccountsAwayError(f"{url} does not answer: {type(error).__name__}") from None
        if not isinstance(found, dict) or (found.get("active") is True and not found.get("sub")):
            raise AccountsAwayError(f"{url} does not answer as it should")
        return found


def _key(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _account(answer: Mapping[str, Any]) -> Account | None:
    if answer.get("active") is not True:
        return None
    given = str(answer.get("scope", "")).split()
    return Account(
        user=str(answer["sub"]),
        login=str(answer.get("username", "")),
        scopes=frozenset(scope for scope in SCOPES if scope in given),
        groups=frozenset(map(str, answer.get("groups") or ())),
        token=str(answer.get("name", "")),
        csrf=str(answer.get("csrf", "")),
    )
