"""Many who follow runs at once, through the proxy: how late each event comes, and what it costs the proxy.

`python -m benchmarks.event_streams STREAMS URL NAME…`, with the token in DPPCTL_TOKEN, is a process of its own that
follows these runs, so that those who wait take no time from the workers.
"""

import asyncio
import json
import os
import subprocess
import sys
import time

import aiohttp

from benchmarks.bench import Bench
from benchmarks.report import ROOT, Result, Row
from benchmarks.runs_world import kubeconfig, not_measured, operator_of, percentile, wait_for_workers, world_of
from tests.support.stories.runs_processes import proxy_process

HOPS = 2  # from the worker to the operator, from there through the proxy


def event_streams(bench: Bench) -> Result:
    """Have ten runs tell the time, and many who follow them compare it with theirs."""
    streams, runs = (20, 4) if bench.quick else (200, 10)
    title = f"{streams} streams of events at once, of {runs} runs"
    if not kubeconfig():
        return not_measured(title)
    with world_of(bench, waiting=runs, most=runs) as world, operator_of(world) as operator:
        proxy, token = proxy_process(world, kubeconfig(), operator)
        try:
            wait_for_workers(world, runs)
            names = [world.ask("ticks", name=f"run-{number}") for number in range(runs)]
            command = [sys.executable, "-P", "-m", "benchmarks.event_streams", str(streams), proxy.url, *names]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "DPPCTL_TOKEN": token}
            followed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            memory = proxy.memory
        finally:
            proxy.stop()
    late, ended = json.loads(followed.stdout)
    median, most = percentile(late, 50) * 1000, percentile(late, 99) * 1000
    rows = [
        Row(f"{title}: from the worker to who follows, 99 % within", f"{HOPS * 100} ms ({HOPS} hops)", f"{most:.0f} ms",
            most <= HOPS * 100),
        Row("… memory of the proxy", "120 MB", f"{memory:.0f} MB", memory <= 120),
        Row("… that came to their end", str(streams), str(ended), ended == streams),
    ]  # fmt: skip
    details = (
        f"Each run says 20 times a second what time it is, for ten seconds: {len(late):,} lines arrived, in the median "
        f"after {median:.1f} ms. Workers, API server, operator, proxy and all who follow share the machine."
    )
    return Result(title, rows, details)


async def _follow_all(streams: int, url: str, names: list[str]) -> tuple[list[float], int]:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {os.environ['DPPCTL_TOKEN']}"}
    late = list[float]()
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        follow = (
            _follow(session, f"{url}/v1/runs/{names[number % len(names)]}/events", late) for number in range(streams)
        )
        ended = sum(await asyncio.gather(*follow))
    return late, ended


async def _follow(session: aiohttp.ClientSession, url: str, late: list[float]) -> bool:
    phase = ""
    began = time.time()
    async with session.get(url) as answer:
        async for line in answer.content:
            event = json.loads(line) if line.strip() else {}
            if event.get("event") == "run":
                phase = event["phase"]
            elif event.get("event") == "log" and not event["line"].startswith("line"):
                told = float(event["line"])
                if told > began + 2:  # what was there before is no news
                    late.append(time.time() - told)
    return phase == "Succeeded"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_follow_all(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))))
