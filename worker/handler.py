"""The requests that the worker takes over HTTP, as worker/server.py lists them."""

import hmac
import json
import tempfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional
from urllib.parse import parse_qs, urlsplit

from worker.limits import UPLOAD_PIECE_BYTES, WORKLOAD_BYTES
from worker.publication import tar_of
from worker.unique import read_unique
from worker.unpack import ArchiveError, copy_contents, replace_contents

if TYPE_CHECKING:
    from worker.server import WorkerServer

REQUEST_BYTES = 1024 * 1024


class WorkerHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: "WorkerServer"
    timeout = 60

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"state": self.server.state, "run": self.server.run_id})
        elif self._allowed():
            if urlsplit(self.path).path == "/publication":
                self._send_publication()
            else:
                self._send_events()

    def _send_events(self) -> None:
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

    def _send_publication(self) -> None:
        publication = self.server.publication
        if publication is None or not publication.items:
            self._answer(404, {"error": "there is nothing to publish"})
            return
        try:
            size, write_to = tar_of(publication)
        except OSError as error:
            self._answer(500, {"error": f"what was written cannot be read: {error}"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-tar")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        try:
            write_to(self.wfile.write)
        except OSError as error:  # the reader left, or gets too little, which it sees by the length
            self.log_error("the publication was not sent: %s", error)

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
        self.server.publication = None
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
        known = {"/workload": ["PUT", "POST"], "/run": ["POST"], "/stop": ["POST"]}
        known.update({"/events": ["GET"], "/publication": ["GET"]})
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
    unique = read_unique(body.get("unique", []))
    return {
        **body,
        "pipelines": pipelines,
        "environment": environment,
        "concurrency": concurrency,
        "unique": unique,
    }
