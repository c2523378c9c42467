"""A signal ends a server whatever its main thread is at."""

import subprocess
import sys

from tests.support.environment import REPOSITORY

# The signal comes while the main thread begins to wait for the end, and holds the event's lock.
PROGRAM = """
import inspect, signal, sys, threading
from contextlib import ExitStack

from cli.servers.daemon import Daemon
from cli.servers.lifecycle import serve

lines, first = inspect.getsourcelines(threading.Event.wait)
inside = first + next(number for number, line in enumerate(lines) if "self._flag" in line)
sent = []


class Server(Daemon):
    def parts(self):
        return {"part": self.stopping.wait}

    def hello(self):
        sys.settrace(self.trace)
        return "works"

    def stop(self):
        pass

    def trace(self, frame, event, argument):
        if frame.f_code is not threading.Event.wait.__code__ or frame.f_locals["self"] is not self.stopping:
            return None
        if event == "line" and frame.f_lineno == inside and not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGTERM)
        return self.trace


serve(lambda stopping: Server(stopping, ExitStack()))
print("ended by the signal" if sent else "ended")
"""


def test_a_signal_that_comes_as_the_wait_for_it_begins_ends_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False
    )
    assert done.stdout.splitlines() == ["works", "ended by the signal"], done.stderr
