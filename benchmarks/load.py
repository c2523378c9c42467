"""Sends signed deliveries over kept connections and says how long the answers took. A process of its own for each run
(`python -m benchmarks.load`), so that it shares no interpreter with what it measures."""

import json
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
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
        """Count the answers other than 2xx."""
        return sum(number for code, number in self.codes.items() if not code.startswith("2"))


def load(url: str, seconds: float, connections: int, rate: float | None = None, request: bytes = b"") -> Load:
    """Send as many as it takes, or `rate` a second (then the time counts from when each should have been sent).

    `request`: all of one, in place of a delivery.
    """
    arguments = [url, str(seconds), str(connections), str(rate or 0)]
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=request, stdout=subprocess.PIPE, check=True)
    return Load(**json.loads(done.stdout))


def payload(repository: str = "ann/app") -> bytes:
    """Return a push payload of the usual size; its text does not matter."""
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


class _Connection:
    """A kept connection, and since when the answer that it waits for is due."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.answer = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self.answer = due, b""
        self.socket.sendall(request)

    def receive(self) -> str | None:
        """Return the status code, once the answer is whole; `closed` without an answer."""
        more = self.socket.recv(65536)
        self.answer += more
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if found:
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if length and len(body) >= int(length[1]):
                return head[9:12].decode()
        return None if more else "closed"


def _deliveries(url: str) -> Callable[[int], bytes]:
    """Return what makes a delivery of a number."""
    parts, body, start = urlsplit(url), payload(), time.perf_counter()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: {sign(body, SECRET)}\r\n"
        "X-GitHub-Delivery: "
    ).encode()
    return lambda number: head + b"%x-%d\r\n\r\n" % (int(start * 1e6), number) + body


def _run(url: str, seconds: float, connections: int, rate: float, request: Callable[[int], bytes]) -> Load:
    """Send from a single thread that waits for sockets: as little work for each delivery as Python can do."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    times: list[float] = []
    codes: Counter[str] = Counter()
    free = [_Connection(address) for _ in range(connections)]
    start = time.perf_counter()
    number = busy = 0
    with selectors.DefaultSelector() as selector:
        while True:
            now = time.perf_counter()
            while free and now < start + seconds and (due := start + number / rate if rate else now) <= now:
                connection = free.pop(0)  # in turn: a server closes those that nobody uses
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(request(number), due)
                number, busy, now = number + 1, busy + 1, time.perf_counter()
            if not busy and now >= start + seconds:
                break
            for key, _ in selector.select(max(0.0, start + number / rate - now) if rate and free else 1.0):
                if code := key.data.receive():
                    selector.unregister(key.fileobj)
                    busy -= 1
                    codes[code] += 1
                    times.append(time.perf_counter() - key.data.due)
                    is_open = code != "closed" and b"connection: close" not in key.data.answer.lower()
                    free.append(key.data if is_open else _Connection(address))
    taken = time.perf_counter() - start
    p99 = statistics.quantiles(times, n=100)[98]
    return Load(len(times) / taken, statistics.median(times) * 1000, p99 * 1000, dict(codes))


if __name__ == "__main__":
    url, seconds, connections, rate = sys.argv[1:]
    whole = sys.stdin.buffer.read()
    make = (lambda _: whole) if whole else _deliveries(url)
    print(json.dumps(asdict(_run(url, float(seconds), int(connections), float(rate), make))))
