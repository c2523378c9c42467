"""Sends signed deliveries over kept connections and says how long the answers took. A process of its own for each run
(`python -m benchmarks.load`), so that it shares no interpreter with what it measures."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from webhooks.signature import sign

ROOT = Path(__file__).parent.parent
SECRET = "benchmark"
BODY_BYTES = 7_600  # of a usual push payload


@dataclass
class Load:
    """Latencies in milliseconds; `codes`: answers by status code."""

    per_second: float
    median: float
    p99: float
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def bad(self) -> int:
        """Answers other than 2xx."""
        return sum(number for code, number in self.codes.items() if not code.startswith("2"))


def load(url: str, seconds: float, connections: int, rate: float | None = None) -> Load:
    """As many as it takes, or `rate` a second (then the time counts from when each should have been sent)."""
    arguments = [url, str(seconds), str(connections), str(rate or 0)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return Load(**json.loads(done.stdout))


def payload(repository: str = "ann/app") -> bytes:
    """A push payload of the usual size; its text does not matter."""
    commit = {"id": "a" * 40, "message": "change", "author": {"name": "Ann", "email": "ann@example.org"}}
    push = {
        "ref": "refs/heads/master",
        "before": "0" * 40,
        "after": "a" * 40,
        "repository": {"full_name": repository, "private": True},
        "commits": [commit] * 3,
        "padding": "",
    }
    push["padding"] = "x" * (BODY_BYTES - len(json.dumps(push)))
    return json.dumps(push).encode()


async def _run(url: str, seconds: float, connections: int, rate: float) -> Load:
    parts = urlsplit(url)
    body = payload()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: {sign(body, SECRET)}\r\n"
        "X-GitHub-Delivery: "
    ).encode()
    times: list[float] = []
    codes: Counter[str] = Counter()
    start = time.perf_counter()
    end = start + seconds
    number = 0

    async def one_connection() -> None:
        nonlocal number
        reader = writer = None
        while (now := time.perf_counter()) < end:
            mine, number = number, number + 1
            due = start + mine / rate if rate else now
            if due > end:
                break
            if due > now:
                await asyncio.sleep(due - now)
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(head + b"%x-%d\r\n\r\n" % (int(start * 1e6), mine) + body)
            try:
                answer = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                codes["closed"] += 1
                writer.close()
                reader = writer = None
                continue
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length[15:]))
            times.append(time.perf_counter() - due)
            codes[answer[9:12].decode()] += 1
            if b"connection: close" in answer.lower():
                writer.close()
                reader = writer = None
        if writer:
            writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    taken = time.perf_counter() - start
    p99 = statistics.quantiles(times, n=100)[98]
    return Load(len(times) / taken, statistics.median(times) * 1000, p99 * 1000, dict(codes))


if __name__ == "__main__":
    url, seconds, connections, rate = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(_run(url, float(seconds), int(connections), float(rate))))))
