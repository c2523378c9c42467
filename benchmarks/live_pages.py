"""Many live pages at once, as browsers have them open: `python -m benchmarks.live_pages URL PAGES SECONDS`.

Each asks for events as `webhooks/static/dppctl.js` does, and for the page again when something changed. A process of
its own, so that those who look take no time from the server's threads. It prints how often they asked.
"""

import asyncio
import json
import re
import sys
import time

import aiohttp

_CHANGE = re.compile(r'data-change="(\d+)"')
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_RETRY = re.compile(rb"^retry: (\d+)$", re.MULTILINE)


async def _look(session: aiohttp.ClientSession, url: str, end: float, heard: list[float]) -> None:
    page = await _page(session, url)
    seen = page
    while time.monotonic() < end:
        began = time.monotonic()
        async with session.get(f"{url}/events?since={seen}", headers={"Accept": "text/event-stream"}) as answer:
            text = await answer.read()
        heard.append(time.monotonic() - began)
        if found := _ID.search(text):
            seen = int(found[1])
            await _page(session, url)
        retry = _RETRY.search(text)
        await asyncio.sleep(int(retry[1]) / 1000 if retry else 1)


async def _page(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/deployments/1") as answer:
        found = _CHANGE.search(await answer.text())
    return int(found[1]) if found else 0


async def _main(url: str, pages: int, seconds: float) -> None:
    heard: list[float] = []
    end = time.monotonic() + seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(_look(session, url, end, heard) for _ in range(pages)))
    heard.sort()
    print(json.dumps({"asked": len(heard), "p99": heard[len(heard) * 99 // 100] * 1000 if heard else 0.0}))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
