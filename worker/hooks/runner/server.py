"""The warm process: loads dpp's packages, looks at one workload, forks a process for each pipeline that it is to run.

It speaks over a socket that keeps messages apart, in JSON. It waits for the workload, in the file whose descriptor
comes with the first message, for an environment may be long:

    {"command": of dpp, "folder": the workload's, "environment": {}, "report": file}

It answers `{"taken": true}`, and when the report is written `{"looked": true}`. Then it is asked

    {"run": id, "mark": its processes' mark, "environment": {}, "result": file, "is_last": whether no other follows}

with the descriptor of its stderr, and answers `{"run": id, "pid": N}`, and when it ended
`{"ended": id, "code": exit code, or minus a signal's number}`. The last one, when no other runs, is not forked: this
process becomes it, and closes the socket; a second process would hold megabytes that both have to copy.
It ends when the socket is closed, and all pipelines with it.
"""

import array
import gc
import json
import os
import select
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any, Dict, List, NoReturn, Optional, Set, Tuple

import dppctl_inspect
import dppctl_manager
import sitecustomize

from . import fresh, hook_posts, parent, pipeline, plan, standard
from .quick import imports

_MESSAGE_BYTES = 1 << 18
_SQL = ("dump.to_sql", "dump_to_sql")
_ADDRESS = "http"  # somewhere in a pipeline that is likely to read from the web


def main(descriptor: int, report_file: str) -> NoReturn:
    """Serve on the socket of this descriptor until it is closed.

    report_file: where the report on the workload goes, when this is the process that is to look at it; else "".
    """
    code = 0
    try:
        server = WarmServer(socket.socket(fileno=descriptor))
        report_file = report_file or server.wait_for_workload()
        if report_file:
            server.inspect(report_file)
            server.serve()
    except BaseException:  # noqa: BLE001 - nothing above this may run: it is `dpp`, which imports sitecustomize
        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


class WarmServer:
    """Holds what was found in the workload; forks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._specs: List[Any] = []
        self._plans: Dict[str, plan.Plan] = {}
        self._running: Dict[int, str] = {}
        self._path = _path_without_pythonpath()
        with fresh.names_noted():
            self._unfit = _load()
        self._kept_modules: Set[str] = set()

    def wait_for_workload(self) -> str:
        """Wait for a workload, and come to be in its folder; return where the report goes, "" when nobody waits for it.

        A run for which this process is not fit has another one, which this one becomes.
        """
        for seconds, load in _WHEN_IDLE:
            if select.select([self._connection], [], [], seconds)[0]:
                break
            with fresh.names_noted():
                load()
            gc.collect()
            gc.freeze()
        text, file = _receive(self._connection)
        if not text or file is None:
            return ""
        with os.fdopen(file, "rb") as written:
            request = json.loads(written.read())
        self._say({"taken": True})
        os.chdir(request["folder"])
        environment: Dict[str, str] = request["environment"]
        folders = environment["PYTHONPATH"].split(os.pathsep)
        if not fresh.is_fit(environment, [folder for folder in folders if folder != _hooks_folder()]):
            fresh.start_again(request["command"], environment, self._connection.fileno(), request["report"])
        fresh.take_environment(environment)
        sys.path[:] = [*filter(None, folders), *self._path, *sitecustomize.workload_path()]
        return str(request["report"])

    def inspect(self, report_file: str) -> None:
        """Write the report on the workload (dppctl_inspect.py), with the plan of each pipeline."""
        unfit = self._unfit
        self._kept_modules = set(sys.modules)
        report, self._specs = dppctl_inspect.inspect()
        found = set(sys.modules)
        good = [spec for spec, described in zip(self._specs, report["pipelines"]) if not described["errors"]]
        if any(step.get("run") in _SQL for spec in good for step in spec.pipeline_details["pipeline"]):
            _load_sql()
        if any(_ADDRESS in json.dumps(spec.pipeline_details, default=str) for spec in good):
            _load_http()
        names = self._kept_modules | (set(sys.modules) - found) | imports.ALWAYS
        loaded = {name for name in names if "." not in name and not name.startswith("dppctl_")}
        for spec, described in zip(self._specs, report["pipelines"]):
            if described["errors"]:
                continue
            decided = plan.Plan([], unfit) if unfit else plan.decide(spec, loaded)
            self._plans[spec.pipeline_id] = decided
            described["runner"] = decided.as_text()
        dppctl_inspect.write(report, report_file)

    def serve(self) -> None:
        """Fork pipelines until the socket is closed."""
        self._say({"looked": True})
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == woken:
                        os.read(woken, 4096)
                        self._reap()
                    elif not self._answer():
                        return

    def _answer(self) -> bool:
        """Take a message; return whether there was one, and not the end."""
        text, stderr = _receive(self._connection)
        if not text:
            return False
        request = json.loads(text)
        server = os.getpid()
        if request["is_last"] and not self._running:
            self._say({"run": request["run"], "pid": server})
            self._become_pipeline(request, stderr)
        pid = os.fork()
        if pid == 0:
            parent.end_with(server)
            os.setsid()
            self._become_pipeline(request, stderr)
        if stderr is not None:
            os.close(stderr)
        self._running[pid] = request["run"]
        self._say({"run": request["run"], "pid": pid})
        return True

    def _become_pipeline(self, request: Dict[str, Any], stderr: Optional[int]) -> NoReturn:
        try:
            parent.mark(request["mark"])
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if stderr is not None:
                os.dup2(stderr, 2)
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2:
                    with suppress(OSError):  # the folder's own
                        os.close(int(name))
            os.environ.update(request["environment"])
            given = filter(None, os.environ["PYTHONPATH"].split(os.pathsep))
            sys.path[:] = ["", *given, *self._path, *sitecustomize.workload_path()]
            spec = next(spec for spec in self._specs if spec.pipeline_id == request["run"])
            ways = self._plans[spec.pipeline_id].steps
            pipeline.run(spec, self._specs, ways, request, self._kept_modules)
        except BaseException:  # noqa: BLE001 - the server's own frames are no business of this process
            traceback.print_exc()
        finally:
            os._exit(1)

    def _reap(self) -> None:
        """Tell of the pipelines that ended, and end what they left in their group while its number is theirs."""
        for pid in list(self._running):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self._say({"ended": self._running.pop(pid), "code": code})

    def _say(self, message: Dict[str, Any]) -> None:
        try:
            self._connection.send(json.dumps(message).encode())
        except OSError:
            return  # the worker has ended; the next `select` says so


def _load() -> Optional[str]:
    """Import what most processors need; return why the pipelines cannot be run here, None when they can."""
    try:
        unknown = standard.unknown_core()
        if unknown:
            return unknown
        import dataflows  # noqa: F401
        import datapackage_pipelines.manager
        import datapackage_pipelines.manager.logging_config
        import datapackage_pipelines.utilities.flow_utils  # noqa: F401
        import tabulator.loaders.local
        import tabulator.parsers.csv  # noqa: F401
        from datapackage_pipelines.status import backend_filesystem

        from . import lane  # noqa: F401

        hook_sender = import_module(hook_posts.MODULE)
    except Exception as error:  # noqa: BLE001 - packages of other versions, in an image or by the workload's requirements
        return "a package of dpp's cannot be imported: {}".format(" ".join(str(error).split()) or type(error).__name__)
    dppctl_manager.extend_state(backend_filesystem, "")
    dppctl_manager.extend_hooks(hook_sender, "")
    return None


def _load_sql() -> None:
    """Import what writes into databases: with SQLAlchemy it takes long."""
    with suppress(Exception):  # without it a step says what is missing
        import tableschema_sql  # noqa: F401


def _load_http() -> None:
    """Import what reads from the web, and calls `hooks:`."""
    with suppress(Exception):  # as above
        import requests  # noqa: F401


# For a process without a workload: after so many seconds it loads what many pipelines need later.
_WHEN_IDLE = ((0.1, _load_sql), (1.0, _load_http))


def _hooks_folder() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _path_without_pythonpath() -> List[str]:
    given = {"", *os.environ.get("PYTHONPATH", "").split(os.pathsep), *sitecustomize.workload_path()}
    return [folder for folder in sys.path if folder not in given]


def _receive(connection: socket.socket) -> Tuple[bytes, Optional[int]]:
    """Return a message and the descriptor that came with it."""
    descriptors = array.array("i")
    text, ancillary, _, _ = connection.recvmsg(_MESSAGE_BYTES, socket.CMSG_LEN(descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: descriptors.itemsize])
    return text, descriptors[0] if descriptors else None
