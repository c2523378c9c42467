"""Tell a `dppctl sync` elsewhere to look at the ops repos now. It looks by itself too, so this may fail."""

import threading

import requests

from bot.limits import SYNC_WAKE_SECONDS
from bot.logs import get_logger

_log = get_logger("dppctl.bot")


class SyncWaker:
    """Posts from a thread of its own, so that a sync which does not answer holds up nobody."""

    def __init__(self, url: str, token: str) -> None:
        """`url` of sync, without a path."""
        self._url = f"{url}/wake"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._asked = threading.Event()
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="sync-wake", daemon=True).start()

    def wake(self) -> None:
        """Ask for a post, and return at once; many calls while it posts become one post."""
        self._asked.set()

    def stop(self) -> None:
        """Post no more; what is being posted ends with the process."""
        self._stop.set()
        self._asked.set()

    def _run(self) -> None:
        while self._asked.wait() and not self._stop.is_set():
            self._asked.clear()
            try:
                with requests.Session() as session:
                    session.trust_env = False  # no proxy between us; no .netrc instead of the token
                    answer = session.post(self._url, headers=self._headers, timeout=SYNC_WAKE_SECONDS)
                    answer.raise_for_status()
            except requests.RequestException as error:
                _log.warning("sync is not woken", url=self._url, error=" ".join(str(error).split())[:300])
