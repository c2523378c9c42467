"""From files that were received to a version that everybody reads: the release, the switch, and what is old goes.

Each step can be made again, so a publisher that was killed anywhere in it makes them all again. Up to the switch the
old version is what is read; after it the new one.
"""

import asyncio
from collections.abc import Sequence
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


async def publish(
    engine: StorageEngine,
    received: Path,
    prefix: Prefix,
    release: str,
    items: Sequence[PublicationItem],
    storage_url: str,
    now: datetime,
    made_before: datetime | None = None,
) -> None:
    """Publish what was received (`first`, `last`) below a prefix. Raises DppctlError and OSError.

    Nobody else may publish to the prefix meanwhile; or who may has releases in the making that are newer than
    `made_before`, and looks afterwards whether the pointer still is its own.
    """
    if engine.keeps_stable_files:
        await asyncio.to_thread(add_listings, received, items)
    if not prefix.is_deployment:
        await engine.place(received, prefix.text)
        return
    current = await _pointer(engine, prefix)
    new = switch(current, release, [item.path for item in items], now)
    if new is not current:
        await engine.place(received, prefix.release(release))
        await engine.write(prefix.pointer, new.write())
        _log.info("switched", prefix=prefix.text, release=release)
    if engine.keeps_stable_files:
        for item in items:
            base = public_url(storage_url, prefix.release(release) + item.path)
            await engine.write(prefix.text + item.descriptor, _stable_file(received, item, base))
            if item.kind == "data package":
                await engine.write(prefix.text + item.path + SITE, site_redirect(base + SITE))
    for old in removable(await engine.releases(prefix), new, made_before or now):
        await engine.delete(prefix.release(old))
        _log.info("old release deleted", prefix=prefix.text, release=old)


async def _pointer(engine: StorageEngine, prefix: Prefix) -> Pointer | None:
    content = await engine.read(prefix.pointer)
    return None if content is None else Pointer.read(content)


def _stable_file(received: Path, item: PublicationItem, base: str) -> bytes:
    if item.kind == "site":
        return site_redirect(base + SITE)
    with (received / "last" / item.descriptor).open("rb") as file:
        return stable_descriptor(file.read(MAX_DESCRIPTOR_BYTES), base)
