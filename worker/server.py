"""The worker over HTTP: it waits, is handed a workload, runs it, and ends (or waits for the next).

    GET  /health      {"state": "waiting" | "running" | "ended", "run": its id or null}; the only one without the token
    PUT  /workload    a tar.gz of the workload's files: 204
    POST /workload    the workload is what the image has, in the folder that the worker was started in: 204
    POST /run         {"run": id, "pipelines": [id], "environment": {}, "concurrency": 1, "source": {}, "image": ""}:
                      202, also for the run of this id that runs already; 409 when another one does
    GET  /events      the events of the run as JSON lines, each with its number, until the last one, `closed`, which
                      has the exit code; ?after=N: those after this number
    POST /stop        ends the run within two seconds: 202

All others need `Authorization: Bearer TOKEN`. Errors are `{"error": "one line"}`.
"""

import hmac
import json
import os
import signal
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

from worker.events import EventStream
from worker.limits import UPLOAD_PIECE_BYTES, WORKLOAD_BYTES
from worker.plan import WorkloadError
from worker.receipt import write_summary
from worker.run import Run
from worker.standby import Standby
from worker.unpack import ArchiveError, copy_contents, replace_contents

REQUEST_BYTES = 1024 * 1024
SECONDS_FOR_READERS = 5.0


def serve(listen: str, token_file: Path, folder: Path, again: bool) -> int:
    """Serve until the run is over (again: until a signal); the exit code is the run's, as main.py says."""
    host, _, port = listen.rpartition(":")
    try:
        token = token_file.read_text().strip()
        if not token:
            sys.stderr.write(f"{token_file} is empty: it must hold the token\n")
            return 2
        server = WorkerServer((host, int(port)), token, folder.absolute())
    except (OSError, ValueError, OverflowError) as error:
        sys.stderr.write(f"cannot serve on {listen} with the token of {token_file}: {error}\n")
        return 2
    server.standby = standby = Standby(again)
    print(f"waiting for a workload on {host}:{server.server_address[1]}", flush=True)
    stopped_by = []

    def stop(number: int, _frame: Any) -> None:
        stopped_by.append(number)
        threading.Thread(target=server.end).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if not again:
        threading.Thread(target=server.end_after_run, daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    server.wait_for_readers()
    standby.close()
    return 128 + stopped_by[0] if stopped_by else server.exit_code


class WorkerServer(ThreadingHTTPServer):
    """Holds at most one run at a time."""

    daemon_threads = True

    def __init__(self, address: Tuple[str, int], token: str, folder: Path) -> None:
        super().__init__(address, _WorkerHandler)
        self.standby: Optional[Standby] = None  # without one a run makes ready what it needs
        self.token = token
        self.folder = folder
        self.events: Optional[EventStream] = None
        self.state = "waiting"
        self.run_id: Optional[str] = None
        self.exit_code = 0
        self._run: Optional[Run] = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._readers = 0
        self._told = False
        self._reading = threading.Condition()

    def start_run(self, request: Dict[str, Any]) -> bool:
        """Start a run, unless it is the one that was started; return False when another is running."""
        with self._lock:
            if self.state == "running" or (self.state == "ended" and self.run_id and self.run_id == request.get("run")):
                return bool(self.run_id) and self.run_id == request.get("run")
            self.state, self.run_id = "running", request.get("run")
            self.events = EventStream()
            environment = {**os.environ, **request["environment"]}
            origin = {"source": request.get("source"), "image": request.get("image")}
            self._run = Run(
                self.folder,
                request["pipelines"],
                environment,
                self.events,
                request["concurrency"],
                origin,
                ready=self.standby.take() if self.standby else None,
            )
            threading.Thread(target=self._execute, args=(self._run, self.events), daemon=True).start()
            return True

    def stop_run(self) -> None:
        """End the run, if there is one."""
        run = self._run
        if run is not None:
            run.stop()

    def end(self) -> None:
        """End the run and then the server."""
        self.stop_run()
        self.shutdown()

    def end_after_run(self) -> None:
        """Wait until the first run has ended and somebody has been told all of it (or nobody asks), then end."""
        self._ended.wait()
        with self._reading:
            self._reading.wait_for(lambda: self._told, SECONDS_FOR_READERS)
        self.shutdown()

    def read_events(self, write: Any, after: int) -> None:
        """Hand every event of the present run after this number to `write` until it ends."""
        with self._reading:
            self._readers += 1
        try:
            for event in self.events.numbered_from(after) if self.events else ():
                write(json.dumps(event).encode() + b"\n")
            self._told = True
        finally:
            with self._reading:
                self._readers -= 1
                self._reading.notify_all()

    def wait_for_readers(self) -> None:
        """Give those who read events a few seconds to get the last ones."""
        with self._reading:
            self._reading.wait_for(lambda: self._readers == 0, SECONDS_FOR_READERS)

    def _execute(self, run: Run, events: EventStream) -> None:
        try:
            receipt = run.execute()
            write_summary(receipt)
            self.exit_code = 0 if receipt["status"] == "succeeded" else 1
        except WorkloadError:
            self.exit_code = 2
        except OSError as error:
            events.emit("invalid", errors=[{"where": "worker", "message": str(error)}])
            self.exit_code = 2
        finally:
            events.emit("closed", exit_code=self.exit_code)
            events.close()
            self.state = "ended"
            self._ended.set()


class _WorkerHandler(BaseHTTPRequestHandler):
    server: WorkerServer
    timeout = 60

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"state": self.server.state, "run": self.server.run_id})
        elif self._allowed() and urlsplit(self.path).path == "/events":
            after = parse_qs(urlsplit(self.path).query).get("after", ["0"])[0]
            if not after.isdigit():
                self._answer(400, {"error": "after must be the number of an event"})
                return
            if self.server.events is None:
                self._answer(409, {"error": "nothing runs yet: POST /run first"})
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/jsonl")
            self.end_headers()
            try:
                self.server.read_events(self.wfile.write, int(after))
            except (BrokenPipeError, ConnectionResetError):
                return  # the reader left; the run goes on

    def do_PUT(self) -> None:
        if not self._allowed() or self.path != "/workload":
            return
        length = self._length(WORKLOAD_BYTES)
        if length is not None:
            self._change_workload(lambda: self._receive(length))

    def _receive(self, length: int) -> None:
        self.server.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(self.server.folder)) as upload:
            while length and (piece := self.rfile.read(min(length, UPLOAD_PIECE_BYTES))):
                length -= upload.write(piece)
            upload.seek(0)
            replace_contents(self.server.folder, upload)

    def _change_workload(self, change: Callable[[], None]) -> None:
        if self.server.state == "running":
            self._answer(409, {"error": "a run is under way: POST /stop first, or wait for its end"})
            return
        try:
            change()
        except ArchiveError as error:
            self._answer(400, {"error": str(error)})
        except OSError as error:
            self._answer(507, {"error": f"the workload cannot be written: {error}"})
        else:
            self._answer(204, None)

    def do_POST(self) -> None:
        if not self._allowed():
            return
        if self.path == "/stop":
            self.server.stop_run()
            self._answer(202, {"state": self.server.state})
        elif self.path == "/run":
            self._start_run()
        elif self.path == "/workload":
            self._change_workload(lambda: copy_contents(self.server.folder, Path.cwd()))

    def _start_run(self) -> None:
        body = self._body(REQUEST_BYTES)
        if body is None:
            return
        try:
            request = _run_request(json.loads(body or b"{}"))
        except ValueError as error:
            self._answer(400, {"error": str(error)})
            return
        if self.server.start_run(request):
            self._answer(202, {"state": "running"})
        else:
            self._answer(409, {"error": "a run is under way: POST /stop first, or wait for its end"})

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        known = {"/events": ["GET"], "/workload": ["PUT", "POST"], "/run": ["POST"], "/stop": ["POST"]}
        if not hmac.compare_digest(given, b"Bearer " + self.server.token.encode()):
            self._answer(401, {"error": "the bearer token is missing or wrong"})
        elif self.command not in known.get(urlsplit(self.path).path, []):
            self._answer(404, {"error": f"no {self.command} {self.path} here"})
        else:
            return True
        return False

    def _body(self, limit: int) -> Optional[bytes]:
        length = self._length(limit)
        return None if length is None else self.rfile.read(length)

    def _length(self, limit: int) -> Optional[int]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._answer(411, {"error": "a Content-Length is needed"})
        elif int(length) > limit:
            self._answer(413, {"error": f"at most {limit} bytes"})
        else:
            return int(length)
        return None

    def _answer(self, status: int, body: Optional[Dict[str, Any]]) -> None:
        content = b"" if body is None else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        if not args or not str(args[0]).startswith("GET /health"):
            super().log_message(format, *args)


def _run_request(body: Any) -> Dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    pipelines = body.get("pipelines", [])
    environment = body.get("environment", {})
    concurrency = body.get("concurrency", 1)
    if not isinstance(pipelines, list) or not all(isinstance(name, str) for name in pipelines):
        raise ValueError("pipelines must be a list of ids")
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise ValueError("environment must map names to texts")
    if not isinstance(body.get("run") or "", str):
        raise ValueError("run must be a text")
    if not isinstance(concurrency, int) or not 1 <= concurrency <= 64:
        raise ValueError("concurrency must be a number from 1 to 64")
    return {**body, "pipelines": pipelines, "environment": environment, "concurrency": concurrency}
