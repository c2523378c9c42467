"""Whose a token is: as the auth server says, or the file of tokens where there is none."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from bot.accounts import AccountsAwayError, AccountsClient, AccountsRefusedError, RememberedAccount
from bot.logs import get_logger
from bot.model.account import Account
from cluster.limits import AUTH_CALLS, AUTH_SECONDS
from cluster.proxy.refusals import RETRY, RefusalError
from cluster.proxy.tokens import KnownTokens, hash_of

_log = get_logger("dppctl.proxy")


class Callers(Protocol):
    """Knows tokens."""

    def recall(self, token: str) -> RememberedAccount | None:
        """Return what is known of a token without asking anybody; None: nothing."""

    async def ask(self, token: str) -> Account | None:
        """Return whose token it is; None: nobody's. Raises RefusalError when that cannot be said now."""


class FileCallers:
    """Those of the file, which is read again when it changes."""

    def __init__(self, tokens: KnownTokens) -> None:
        """Take what has read the file."""
        self._tokens = tokens

    def recall(self, token: str) -> RememberedAccount | None:
        """Return what the file says, which always holds."""
        found = self._tokens.find(token)
        return RememberedAccount(found.account() if found else None, holds=True)

    async def ask(self, token: str) -> Account | None:
        """Return what the file says."""
        found = self._tokens.find(token)
        return found.account() if found else None


class AuthCallers:
    """Those whom the auth server knows. Requests that wait for an answer about the same token share it."""

    def __init__(self, accounts: AccountsClient) -> None:
        """Take what asks it, and blocks meanwhile."""
        self._accounts = accounts
        self._threads = ThreadPoolExecutor(AUTH_CALLS, thread_name_prefix="auth")
        self._asking: dict[str, asyncio.Task[Account | None]] = {}

    def recall(self, token: str) -> RememberedAccount | None:
        """Return what the auth server said lately."""
        return self._accounts.recall(token)

    async def ask(self, token: str) -> Account | None:
        """Return what the auth server says. Raises RefusalError: 503 while it is away.

        A browser's session is nobody here: the API is not open to what a page might send.
        """
        key = hash_of(token)
        if (asking := self._asking.get(key)) is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(token))
            asking.add_done_callback(lambda _: self._asking.pop(key))
        try:
            found = await asyncio.shield(asking)
        except (AccountsAwayError, TimeoutError) as error:
            _log.warning("auth server away", error=error or "no answer in time")
            what = "the auth server does not answer: nobody can be let in now"
            raise RefusalError(503, "auth-away", what, "try again in a moment; runs go on", RETRY) from None
        except AccountsRefusedError as error:
            _log.error("auth server refuses the proxy", error=error)
            hint = "the key auth-service-token of both must be the same"
            raise RefusalError(503, "auth-refuses", "the auth server refuses the proxy", hint, RETRY) from None
        return None if found and found.csrf else found

    async def _ask(self, token: str) -> Account | None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(AUTH_SECONDS):
            return await loop.run_in_executor(self._threads, self._accounts.identify, token)
