"""How long it takes to publish many small files, or a large one, and in how much memory, beside plain `rclone sync`."""

import json
import os
import random
import statistics
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj

from benchmarks.bench import Bench, numbered
from benchmarks.measured import peak_memory
from benchmarks.report import Result, Row
from tests.support.builders import free_port
from tests.support.publisher.buckets import RCLONE, make_password, rclone_daemon, s3_bucket
from tests.support.publisher.process import TOKEN, request
from tests.support.serving import in_thread
from tests.support.stories.runs_processes import ServerProcess

_MOST_MEMORY = 150.0  # MB, of publisher and rclone each: their limits in charts/dppctl
_DESCRIPTOR = b'{"name": "p", "resources": [{"name": "rows", "path": "0.csv"}]}'


def publishing(bench: Bench) -> Result:
    """Publish 10,000 small files, and one of 1 GB, to a folder and to S3."""
    times = 1 if bench.quick else 3
    sets = {
        "10,000 files of 1 kB": _small(bench.new_folder(), 100 if bench.quick else 10_000),
        "one file of 1 GB": _large(bench.new_folder(), 10**7 if bench.quick else 10**9),
    }
    rows: list[Row] = []
    for engine in ("folder", "S3"):
        for name, files in sets.items():
            ours, plain, memory = list[float](), list[float](), dict[str, float]()
            for _ in numbered(times, f"{name} to {engine}"):
                with _storage(bench.new_folder(), engine) as storage:
                    ours.append(storage.publish(files))
                    plain.append(storage.sync(files))
                    memory = {part: max(size, memory.get(part, 0)) for part, size in storage.memory().items()}
            ratio = statistics.median(ours) / statistics.median(plain)
            said = f"{statistics.median(ours):.1f} s; `rclone sync` {statistics.median(plain):.1f} s"
            rows.append(Row(f"{name} published to {engine}", "", said, None))
            rows.append(Row("… times `rclone sync`", "at most 4", f"{ratio:.2f}", ratio <= 4 or bench.quick))
            for part, size in memory.items():
                rows.append(
                    Row(f"… memory of {part} at most", f"{_MOST_MEMORY:.0f} MB", f"{size:.0f} MB", size <= _MOST_MEMORY)
                )
    details = (
        f"Median of {times}, each beside a plain `rclone sync` of the same files, with its defaults. From the request"
        " to `published`: the files go from the worker to the publisher's disk, and from there into the storage, for a"
        " folder with a wait for the disk (syncfs), which `rclone sync` does not do. S3 is `rclone serve s3` on the"
        " same machine, which takes part of it."
    )
    return Result("Publishing", rows, details)


class _PublisherStorage:
    """A publisher before a storage."""

    def __init__(self, server: ServerProcess, rclone: int | None, target: str, settings: Mapping[str, str]) -> None:
        self._server, self._rclone, self._target, self._settings = server, rclone, target, settings

    def publish(self, files: Path) -> float:
        """Return the seconds from the request to the end."""
        with _worker(files.with_suffix(".tar")) as address:
            items = [{"kind": "data package", "source": "data/p", "path": "p/"}]
            body = json.dumps(request(worker=address, limitBytes=2 * 10**9, items=items)).encode()
            began = time.perf_counter()
            self._call("POST", "/publications", body)
            while (state := self._call("GET", "/publications/u1"))["state"] == "copying":
                time.sleep(0.05)
            assert state["state"] == "published", state
            return time.perf_counter() - began

    def sync(self, files: Path) -> float:
        """Return the seconds that rclone alone takes."""
        began = time.perf_counter()
        target = f"{self._target}/plain"
        environment = {**os.environ, "RCLONE_CONFIG": "", **self._settings}
        subprocess.run([RCLONE, "sync", files, target], check=True, env=environment)
        return time.perf_counter() - began

    def memory(self) -> dict[str, float]:
        """Return the most that each process had, in MB."""
        pids = {"publisher": self._server.pid, **({"rclone": self._rclone} if self._rclone else {})}
        return {name: peak_memory(pid) or 0.0 for name, pid in pids.items()}

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asked = urllib.request.Request(self._server.url + path, body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found: dict[str, str] = json.loads(answer.read())
            return found


@contextmanager
def _storage(folder: Path, engine: str) -> Iterator[_PublisherStorage]:
    (folder / "token").write_text(TOKEN)
    settings = {
        "DPPCTL_PUBLISHER_TOKEN_FILE": str(folder / "token"),
        "DPPCTL_PUBLISHER_LISTEN": "127.0.0.1:0",
        "DPPCTL_PUBLISHER_DIR": str(folder / "scratch"),
        "DPPCTL_STORAGE_URL": "http://127.0.0.1:9",
    }
    with ExitStack() as opened:
        pid, target, configuration = None, str(folder / "storage"), dict[str, str]()
        if engine == "S3":
            bucket = opened.enter_context(s3_bucket(folder))
            port, target, configuration = free_port(), bucket.remote, dict(bucket.configuration)
            settings["DPPCTL_RCLONE_PASSWORD_FILE"] = str(make_password(folder))
            settings["DPPCTL_RCLONE_URL"] = f"http://127.0.0.1:{port}"
            pid = opened.enter_context(rclone_daemon(port, folder, configuration))
        settings["DPPCTL_PUBLISHER_REMOTE"] = target
        server = ServerProcess("publisher", folder, settings)
        opened.callback(server.kill)
        yield _PublisherStorage(server, pid, target, configuration)


@contextmanager
def _worker(tar: Path) -> Iterator[str]:
    """Run what sends this tar, as a worker does; its HOST:PORT."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(tar.stat().st_size))
            self.end_headers()
            with tar.open("rb") as file:
                copyfileobj(file, self.wfile, 2**20)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_thread(server):
        yield f"127.0.0.1:{server.server_port}"


def _small(folder: Path, count: int) -> Path:
    package = folder / "files" / "p"
    for number in range(count):
        file = package / f"{number // 100}" / f"{number}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("name\n" + "x" * 1_000)
    return _packed(package)


def _large(folder: Path, size: int) -> Path:
    package = folder / "files" / "p"
    package.mkdir(parents=True)
    block = random.Random(1).randbytes(2**20)
    with (package / "0.csv").open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
    return _packed(package)


def _packed(package: Path) -> Path:
    """Return the folder above a package, beside which there is a tar of it."""
    (package / "datapackage.json").write_bytes(_DESCRIPTOR)
    files = package.parent
    with tarfile.open(files.with_suffix(".tar"), "w") as tar:
        for file in sorted(package.rglob("*")):
            if file.is_file():
                tar.add(file, file.relative_to(files).as_posix())
    return files
