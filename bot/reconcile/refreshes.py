"""Refresh kept copies of repositories side by side. One that takes long holds up nobody: it goes on by itself."""

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, TransientError, reason_of
from bot.limits import REFRESH_SECONDS, REFRESHES
from bot.logs import get_logger

_log = get_logger("dppctl.bot")
Key = TypeVar("Key", bound=Hashable)


class Refreshes:
    """What is being refreshed. Used by the bot's one thread."""

    def __init__(self) -> None:
        self._running: dict[Hashable, Future[DppctlError | None]] = {}

    def refresh(self, works: Mapping[Key, Callable[[], None]]) -> dict[Key, DppctlError | None]:
        """Do each work, unless it still runs since an earlier call; return what went wrong with it, None: nothing.

        A TransientError for what has not ended after REFRESH_SECONDS; a call after its end does it once more, as more
        may have changed meanwhile.
        """
        for key in [key for key, future in self._running.items() if future.done()]:
            if error := self._running.pop(key).result():
                _log.warning("fetch failed", repository=key, error=error)
        threads = ThreadPoolExecutor(REFRESHES)
        started = {key: threads.submit(error_of, work) for key, work in works.items() if key not in self._running}
        threads.shutdown(wait=False)  # they end by themselves
        wait(started.values(), REFRESH_SECONDS)
        self._running |= {key: future for key, future in started.items() if not future.cancel()}
        return {key: self._result(key) for key in works}

    def _result(self, key: Hashable) -> DppctlError | None:
        future = self._running.get(key)
        if future is None:
            return TransientError("there was no time to ask it, as others take long")
        if not future.done():
            return TransientError("it is still being fetched, as it is large or the line is slow; that goes on")
        del self._running[key]
        return future.result()


def error_of(work: Callable[[], None]) -> DppctlError | None:
    """Do something for one repository, and return what went wrong, whatever that is; None: nothing."""
    try:
        work()
    except DppctlError as error:
        return error
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, the other repositories have nothing to do with it)
        _log.exception("look broke")
        return DppctlError(reason_of(error))
    return None
