"""The worker over HTTP: it waits, is handed a workload, runs it, and ends (or waits for the next).

    GET  /health      {"state": "waiting" | "running" | "ended", "run": its id or null}; the only one without the token
    PUT  /workload    a tar.gz of the workload's files: 204
    POST /workload    the workload is what the image has, in the folder that the worker was started in: 204
    POST /run         {"run": id, "pipelines": [id], "environment": {}, "concurrency": 1, "source": {}, "image": "",
                       "unique": [{"resource": a name, a glob or null, "columns": [name]}]}:
                      202, also for the run of this id that runs already; 409 when another one does
    GET  /events      the events of the run as JSON lines, each with its number, until the last one, `closed`, which
                      has the exit code; ?after=N: those after this number
    GET  /publication a tar of what the run that has ended publishes (worker/publication.py): plain files, their paths
                      below where the run is published; 404 when it wrote nothing, or a new workload came
    POST /stop        ends the run within two seconds: 202

All others need `Authorization: Bearer TOKEN`. Errors are `{"error": "one line"}`.
"""

import json
import os
import signal
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from worker.events import EventStream
from worker.handler import WorkerHandler
from worker.plan import WorkloadError
from worker.publication import Publication
from worker.receipt import write_summary
from worker.run import Run
from worker.standby import Standby

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
        super().__init__(address, WorkerHandler)
        self.standby: Optional[Standby] = None  # without one a run makes ready what it needs
        self.token = token
        self.folder = folder
        self.events: Optional[EventStream] = None
        self.state = "waiting"
        self.run_id: Optional[str] = None
        self.exit_code = 0
        self.publication: Optional[Publication] = None  # of the run that has ended
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
            self.state, self.run_id, self.publication = "running", request.get("run"), None
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
                unique=request["unique"],
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
            self.publication = run.publication
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
