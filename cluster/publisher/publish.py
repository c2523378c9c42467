"""From files that were received to a version that everybody reads: the release, the switch, and what is old goes.

Each step can be made again, so a publisher that was killed anywhere in it makes them all again. Up to the switch the
old version is what is read; after it the new one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.logs import get_logger
from cluster.publisher.bucket_listings import add_listings
from cluster.publisher.engines.engine import StorageEngine
from cluster.publisher.limits import MAX_DESCRIPTOR_BYTES
from cluster.publisher.shapes import PublicationItem
from cluster.publisher.stable_files import public_url, site_redirect, stable_descriptor
from cluster.storage.layout import SITE, Pointer, Prefix, removable, switch

_log = get_logger("dppctl.publisher")


@dataclass(frozen=True)
class NewRelease:
    """A version of a deployment's publication, from what was received (`first`, `last`), on its way to its readers.

    All methods can be called again after a kill, and raise DppctlError and OSError.
    """

    engine: StorageEngine
    received: Path
    prefix: Prefix
    release: str
    items: Sequence[PublicationItem]
    storage_url: str

    async def next_pointer(self, now: datetime) -> tuple[Pointer, bool]:
        """Return the pointer that names it, and whether that is what the storage has already."""
        content = await self.engine.read(self.prefix.pointer)
        current = None if content is None else Pointer.read(content)
        new = switch(current, self.release, [item.path for item in self.items], now)
        return new, new is current

    async def place(self) -> None:
        """Put it into the storage, where nobody reads it yet."""
        await self.engine.place(self.received, self.prefix.release(self.release))

    async def write_pointer(self, pointer: Pointer) -> None:
        """Make it what everybody reads."""
        await self.engine.write(self.prefix.pointer, pointer.write())
        _log.info("switched", prefix=self.prefix.text, release=self.release)

    async def settle(self, pointer: Pointer, made_before: datetime) -> None:
        """Write the files at stable addresses, and delete releases that no pointer names; newer ones may be begun."""
        if self.engine.keeps_stable_files:
            for item in self.items:
                base = public_url(self.storage_url, self.prefix.release(self.release) + item.path)
                await self.engine.write(self.prefix.text + item.descriptor, _stable_file(self.received, item, base))
                if item.kind == "data package":
                    await self.engine.write(self.prefix.text + item.path + SITE, site_redirect(base + SITE))
        for old in removable(await self.engine.releases(self.prefix), pointer, made_before):
            await self.engine.delete(self.prefix.release(old))
            _log.info("old release deleted", prefix=self.prefix.text, release=old)


async def publish(
    engine: StorageEngine,
    received: Path,
    prefix: Prefix,
    release: str,
    items: Sequence[PublicationItem],
    storage_url: str,
    now: datetime,
) -> None:
    """Publish what was received (`first`, `last`) below a prefix. Raises DppctlError and OSError.

    Nobody else may publish to the prefix meanwhile.
    """
    if engine.keeps_stable_files:
        await asyncio.to_thread(add_listings, received, items)
    if not prefix.is_deployment:
        await engine.place(received, prefix.text)
        return
    made = NewRelease(engine, received, prefix, release, items, storage_url)
    pointer, is_current = await made.next_pointer(now)
    if not is_current:
        await made.place()
        await made.write_pointer(pointer)
    await made.settle(pointer, now)


def _stable_file(received: Path, item: PublicationItem, base: str) -> bytes:
    if item.kind == "site":
        return site_redirect(base + SITE)
    with (received / "last" / item.descriptor).open("rb") as file:
        return stable_descriptor(file.read(MAX_DESCRIPTOR_BYTES), base)
