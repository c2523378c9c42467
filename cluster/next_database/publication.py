"""What a run's pipelines staged, published together with the switch to its database.

Its files come into the storage before the switch, where nobody reads them; the one small file that makes them current
is written inside the switch's transaction, after all renames and before its commit. So what fails on the way leaves
both as they were. https://www.postgresql.org/docs/current/tutorial-transactions.html
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from bot.errors import DppctlError, reason_of
from cluster.limits import POINTER_SECONDS
from cluster.next_database.databases import DatabaseError
from cluster.publisher.staged import StagedRelease, StagedTargets, open_releases

_Result = TypeVar("_Result")


class StagedPublication:
    """Publishes what a run staged, to no storage or some; its methods raise DatabaseError, with words for people."""

    def __init__(self, runner: asyncio.Runner, releases: Sequence[StagedRelease]) -> None:
        self._runner, self._releases = runner, releases

    def place(self) -> None:
        """Put it into the storages."""
        for release in self._releases:
            self._run(release.place(), _NOT_PUBLISHED)

    def make_current(self) -> None:
        """Have people read it. Who reads the database waits meanwhile, so this must not take long."""
        for release in self._releases:
            self._run(asyncio.wait_for(release.make_current(), POINTER_SECONDS), _NOT_PUBLISHED)

    def take_back(self) -> None:
        """Have people read what they read before; where that cannot be, it is said."""
        for release in self._releases:
            try:
                self._run(release.take_back(), _NOT_TAKEN_BACK)
            except DatabaseError as error:
                print(error, flush=True)

    def settle(self) -> list[str]:
        """Write what else leads to it, delete what nobody reads any more, and return what to say of it."""
        return [self._run(release.settle(), _NOT_SETTLED) for release in self._releases]

    def _run(self, step: Coroutine[Any, Any, _Result], what_is: str) -> _Result:
        try:
            return self._runner.run(step)
        except TimeoutError as error:
            reason = f"the storage did not answer within {POINTER_SECONDS:.0f} seconds"
            raise DatabaseError(f"{what_is}: {reason}") from error
        except (DppctlError, OSError) as error:
            raise DatabaseError(f"{what_is}: {reason_of(error)}") from error


@contextmanager
def staged_publication(places: StagedTargets) -> Iterator[StagedPublication]:
    """Have the storages to oneself, as long as the block. Raises OSError."""
    opened = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            yield StagedPublication(runner, runner.run(opened.enter_async_context(open_releases(places))))
        finally:
            runner.run(opened.aclose())


_NOT_PUBLISHED = "what the pipelines wrote to files cannot be published, so files and database stay as they were"
_NOT_TAKEN_BACK = "files are the new ones, until another run publishes"
_NOT_SETTLED = "files and database are the new ones, but not all that leads to the files could be written"
