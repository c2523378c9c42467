"""A thread beside the bot's loop that looks now and then what is to be told, and goes on whatever happens."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from bot.logs import get_logger


class PollingThread(ABC):
    """Does rounds of work, so that a service which is slow or away holds up no deployment."""

    def __init__(self, name: str, poll_seconds: float, leads: Callable[[], bool]) -> None:
        """Take the name of the thread and its log, and the seconds between two rounds.

        `leads` tells whether this bot is the one that works, of several that share a store.
        """
        self._name, self._poll_seconds, self._leads = name, poll_seconds, leads
        self._log = get_logger(f"dppctl.{name}")
        self._stop = threading.Event()

    @abstractmethod
    def work(self, now: datetime) -> None:
        """Do one round."""

    def on_broken(self) -> None:  # noqa: B027 (not everybody has something to do then)
        """Go on after a round that ended with an error that nobody expected."""

    def start(self) -> threading.Thread:
        """Run in a thread that does not outlive the program; return it."""
        thread = threading.Thread(target=self.run, name=self._name, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Let `run` return after what is being sent."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stop.is_set():
            try:
                if self._leads():
                    self.work(datetime.now(UTC))
            except SQLAlchemyError as error:
                self._log.error("store does not answer", error=" ".join(str(error).split())[:300])
            except Exception:  # noqa: BLE001 (whatever it is, the next round may go better)
                self._log.exception("round broke")
                self.on_broken()
            self._stop.wait(self._poll_seconds)
