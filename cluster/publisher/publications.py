"""All publications: each is received, published, and answered for until an hour after its end.

What stands on the scratch volume is enough to go on after a kill: nothing is asked of who asked for it.
"""

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from bot.errors import PermanentError, TransientError, reason_of
from bot.logs import get_logger
from cluster.publisher.day_limits import PublishedBytes
from cluster.publisher.engines.engine import StorageEngine
from cluster.publisher.errors import PublicationRefusedError, PublicationTooLargeError, SourceSilentError
from cluster.publisher.limits import (
    KEPT_SECONDS,
    MAX_KEPT_PUBLICATIONS,
    MAX_PUBLICATION_FILES,
    PUBLICATIONS_AT_ONCE,
    RCLONE_TRIES,
    RECEIVE_SILENCE_SECONDS,
    SWEEP_SECONDS,
)
from cluster.publisher.metrics import PublisherMetrics
from cluster.publisher.publish import publish
from cluster.publisher.receive import PatientSource, find_items, receive
from cluster.publisher.records import PublicationFolder
from cluster.publisher.shapes import (
    CountedPublication,
    DayLimit,
    PublicationRecord,
    PublicationRequest,
    PublicationState,
    PublishedUrl,
)
from cluster.publisher.stable_files import public_url
from cluster.publisher.tar_reader import TarLimits, TarSource
from cluster.storage.layout import DESCRIPTOR, SITE, Prefix, make_id

_log = get_logger("dppctl.publisher")


class OtherPublicationError(PermanentError):
    """The uid or the prefix is of another publication."""


@dataclass(frozen=True)
class StorageTarget:
    """Where publications are kept, and the address that people reach them at."""

    engine: StorageEngine
    url: str


class Publications:
    """Those that are known. All methods are of one event loop."""

    def __init__(self, folder: PublicationFolder, storage: StorageTarget | None) -> None:
        """`storage`: None when this publisher only keeps files for others to fetch. Raises OSError."""
        self._folder, self._storage = folder, storage
        self._records = {record.uid: record for record in folder.load()}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(PUBLICATIONS_AT_ONCE)
        self._prefixes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._counted = PublishedBytes(folder.counted, time.time())
        self._people: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # one receives at a time, of each person
        self._uploads: dict[str, DayLimit] = {}  # that are being received: how many bytes each may have
        self.metrics = PublisherMetrics(lambda: len(self._tasks))

    async def run(self) -> None:
        """Go on with what a publisher before this one began, and remove what is too old; until it is cancelled."""
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as self._session:
                for record in list(self._records.values()):
                    if record.state.state == "copying":
                        self._begin(record)
                while True:
                    self._sweep(time.time())
                    await asyncio.sleep(SWEEP_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def ask(self, request: PublicationRequest) -> PublicationState:
        """Begin a publication, or return how far the one of this uid is. Raises OtherPublicationError."""
        if known := self._known(request.uid, request.prefix):
            return known.state
        record = PublicationRecord(
            uid=request.uid,
            prefix=request.prefix,
            limit_bytes=request.limit_bytes,
            day_limit=request.day_limit,
            release=make_id(datetime.now(UTC), request.uid),
            items=request.items,
            worker=request.worker,
            worker_token=request.worker_token,
        )
        self._write(record)
        self._begin(record)
        return record.state

    async def upload(
        self, uid: str, prefix: str, limit_bytes: int, source: TarSource, day_limit: DayLimit | None = None
    ) -> PublicationState:
        """Receive what somebody uploads, and begin to publish it. Raises DppctlError and OSError: then nothing is."""
        if known := self._known(uid, prefix):
            return known.state
        files = self._folder.files(uid)
        if uid in self._uploads or files.exists():
            raise OtherPublicationError("it is being uploaded already")
        if day_limit:
            async with self._people[day_limit.user]:
                if (left := self._left(uid, day_limit)) < limit_bytes:
                    raise PublicationTooLargeError(_over(day_limit, left))
                self._uploads[uid] = day_limit.model_copy(update={"bytes": limit_bytes})
        try:
            received = await receive(source, files, TarLimits(limit_bytes, MAX_PUBLICATION_FILES), None)
            if not (items := find_items(files)):
                text = f"it has neither a {DESCRIPTOR} nor an {SITE}: there is nothing to publish"
                raise PublicationRefusedError(text)
        except BaseException:
            self._folder.remove_files(uid)
            raise
        finally:
            self._uploads.pop(uid, None)
        record = PublicationRecord(
            uid=uid,
            prefix=prefix,
            limit_bytes=limit_bytes,
            day_limit=day_limit,
            release=make_id(datetime.now(UTC), uid),
            items=items,
            is_received=True,
            state=PublicationState(bytes=received.bytes, files=received.files),
        )
        self._write(record)
        self._begin(record)
        return record.state

    def state(self, uid: str) -> PublicationState | None:
        """Return how far a publication is; None: it is not known, or no more."""
        record = self._records.get(uid)
        return record.state if record else None

    def kept_files(self, uid: str) -> Path | None:
        """Return the folder of the files of a publication that is kept for others to fetch; None: it is not."""
        record = self._records.get(uid)
        is_kept = record and not record.prefix and record.state.state == "published"
        return self._folder.files(uid) if is_kept else None

    def _known(self, uid: str, prefix: str) -> PublicationRecord | None:
        if known := self._records.get(uid):
            if known.prefix != prefix:
                raise OtherPublicationError(f"the publication {uid} has the prefix {known.prefix!r}")
            return known
        if prefix and self._storage is None:
            raise OtherPublicationError("this publisher has no storage; set DPPCTL_PUBLISHER_REMOTE")
        if prefix and not Prefix.parse(prefix).is_deployment:
            for other in self._records.values():
                if other.prefix == prefix and other.state.state != "failed":
                    text = f"the prefix {prefix!r} is another publication's; a run's prefix is used once"
                    raise OtherPublicationError(text)
        if len(self._records) >= MAX_KEPT_PUBLICATIONS:
            raise OtherPublicationError("there are too many publications at once; try again in an hour")
        return None

    def _begin(self, record: PublicationRecord) -> None:
        self._tasks[record.uid] = asyncio.create_task(self._take(record))

    async def _take(self, record: PublicationRecord) -> None:
        """Take a publication to its end, and write that down."""
        uid, log = record.uid, _log.bind(publication=record.uid, prefix=record.prefix)
        try:
            async with self._prefixes[record.prefix or uid], AsyncExitStack() as place:
                async with AsyncExitStack() as turn:
                    if record.day_limit and not record.is_received:  # who waits for it takes no place
                        await turn.enter_async_context(self._people[record.day_limit.user])
                    await place.enter_async_context(self._places)
                    if not record.is_received:
                        record = await self._receive(record)
                if record.prefix:
                    await self._publish(record)
            state = record.state.model_copy(update={"state": "published", "items": self._urls(record)})
            log.info("published", bytes=state.bytes, files=state.files)
        except Exception as error:
            if not isinstance(error, PermanentError | TransientError | OSError):
                log.exception("publication broke")
            state = record.state.model_copy(update={"state": "failed", "error": reason_of(error)})
            log.warning("not published", error=error)
        finally:
            self._tasks.pop(uid, None)
        self.metrics.count(state.state, state.bytes)
        now = time.time()
        if record.day_limit and state.state == "published":
            self._counted.add(CountedPublication(uid=uid, user=record.day_limit.user, bytes=state.bytes, ended=now))
        ended = record.model_copy(update={"state": state, "ended": now, "worker_token": ""})
        self._write(ended)
        if not ended.keeps_files:
            await asyncio.to_thread(self._folder.remove_files, uid)

    async def _receive(self, record: PublicationRecord) -> PublicationRecord:
        """Fetch the files from the worker. Raises DppctlError and OSError."""
        files, day = self._folder.files(record.uid), record.day_limit
        left = self._left(record.uid, day) if day else record.limit_bytes
        limits = TarLimits(min(left, record.limit_bytes), MAX_PUBLICATION_FILES)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(SourceSilentError),
            stop=stop_after_attempt(RCLONE_TRIES),
            wait=wait_random_exponential(0.5, max=10),
            reraise=True,
        ):
            with attempt:
                await asyncio.to_thread(self._folder.remove_files, record.uid)  # of a try before
                try:
                    async with self._session.get(
                        f"http://{record.worker}/publication",
                        headers={"Authorization": f"Bearer {record.worker_token}"},
                        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=RECEIVE_SILENCE_SECONDS),
                        allow_redirects=False,
                    ) as answer:
                        if answer.status != 200:
                            said = (await answer.content.read(500)).decode(errors="replace")
                            text = f"the worker does not give what it wrote: {answer.status}: {' '.join(said.split())}"
                            raise SourceSilentError(text) if answer.status >= 500 else PermanentError(text)
                        received = await receive(PatientSource(answer.content), files, limits, record.items)
                except PublicationTooLargeError:
                    if day and left < record.limit_bytes:
                        raise PublicationTooLargeError(_over(day, left)) from None
                    raise
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise SourceSilentError(f"the worker does not answer: {error or 'no answer'}") from None
        counted = record.state.model_copy(update={"bytes": received.bytes, "files": received.files})
        record = record.model_copy(update={"state": counted, "is_received": True})
        self._write(record)
        return record

    async def _publish(self, record: PublicationRecord) -> None:
        if self._storage is None:
            raise PermanentError("this publisher has no storage; set DPPCTL_PUBLISHER_REMOTE")
        await publish(
            self._storage.engine,
            self._folder.files(record.uid),
            Prefix.parse(record.prefix),
            record.release,
            record.items,
            self._storage.url,
            datetime.now(UTC),
        )

    def _left(self, uid: str, day: DayLimit) -> int:
        """Return how many bytes a person may publish beside all that was published, or was received already."""
        coming = [each.bytes for other, each in self._uploads.items() if each.user == day.user and other != uid]
        for record in self._records.values():
            is_theirs = record.day_limit and record.day_limit.user == day.user and record.uid != uid
            if is_theirs and record.is_received and record.ended is None:
                coming.append(record.state.bytes)
        return max(0, day.bytes - self._counted.of(day.user, time.time()) - sum(coming))

    def _urls(self, record: PublicationRecord) -> list[PublishedUrl]:
        def url(path: str) -> str:
            return public_url(self._storage.url, record.prefix + path) if self._storage and record.prefix else ""

        return [PublishedUrl(kind=item.kind, source=item.source, url=url(item.path)) for item in record.items]

    def _write(self, record: PublicationRecord) -> None:
        self._folder.write(record)
        self._records[record.uid] = record

    def _sweep(self, now: float) -> None:
        for record in list(self._records.values()):
            if record.ended and now - record.ended > KEPT_SECONDS:
                self._folder.remove(record.uid)
                del self._records[record.uid]
        self._counted.forget_old(now)
        for user in [known for known, lock in self._people.items() if not lock.locked()]:
            del self._people[user]
        for prefix in [known for known, lock in self._prefixes.items() if not lock.locked()]:
            del self._prefixes[prefix]


def _over(day: DayLimit, left: int) -> str:
    return (
        f"limit publishedBytes: with what you published meanwhile {left:,} of {day.bytes:,} bytes in 24 hours "
        "are left, and this is more"
    )
