"""Tells a `dppctl sync` elsewhere to look at the ops repos now. It looks by itself too, so this may fail."""

import threading

import requests

from bot.limits import SYNC_WAKE_SECONDS
from bot.logs import get_logger

_log = get_logger("dppctl.bot")


class SyncWaker:
    """A thread that posts, so that a sync which does not answer holds up nobody. Many calls meanwhile are one."""

    def __init__(self, url: str, token: str) -> None:
        """`url` of sync, without a path."""
        self._url = f"{url}/wake"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._asked = threading.Event()
        self._stopping = False
        threading.Thread(target=self._run, name="sync-wake", daemon=True).start()

    def __call__(self) -> None:
        """Returns at once."""
        self._asked.set()

    def stop(self) -> None:
        """What is being posted ends with the process."""
        self._stopping = True
        self._asked.set()

    def _run(self) -> None:
        while self._asked.wait() and not self._stopping:
            self._asked.clear()
            try:
                with requests.Session() as session:
                    session.trust_env = False  # no proxy between us; no .netrc instead of the token
                    answer = session.post(self._url, headers=self._headers, timeout=SYNC_WAKE_SECONDS)
                    answer.raise_for_status()
            except requests.RequestException as error:
                _log.warning("sync is not woken", url=self._url, error=" ".join(str(error).split())[:300])
