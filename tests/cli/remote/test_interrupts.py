"""Ctrl-C at a terminal while a run on a cluster is followed."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.support.environment import REPOSITORY
from tests.support.stories.operator_world import OperatorWorld
from tests.support.terminal import read_until

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.usefixtures("office")]


@pytest.mark.parametrize(
    ("answer", "phase"),
    [("s\r", "Stopped"), ("l\r", "Running"), ("", "Running")],
    ids=["stop", "leave", "Ctrl-C once more"],
)
def test_a_person_is_asked_once_whether_to_stop_the_run(runs: OperatorWorld, answer: str, phase: str) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "wait"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    try:
        read_until(ours, b"WAITING FOR OUTPUT")
        process.send_signal(signal.SIGINT)
        read_until(ours, b"or leave it running (l)?")
        if answer:
            os.write(ours, answer.encode())
        # A signal that comes a moment before Python waits for a key is seen with the next one: so a person tries again.
        interrupt = (lambda: None) if answer else (lambda: process.send_signal(signal.SIGINT))
        interrupt()
        last = b"Unassigned Worker Pod" if phase == "Stopped" else b"ends it"
        said = read_until(ours, last, silent=interrupt).decode()
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
    if phase == "Running":
        left = re.search(r"The run goes on; `dppctl logs (\S+)` comes back to it", said)
        assert left
        assert runs.status(left[1])["phase"] == "Running"
        runs.stop(left[1])
        runs.until(left[1], "Stopped")
    else:
        assert "./a: STOPPED" in said
