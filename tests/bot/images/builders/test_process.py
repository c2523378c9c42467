"""What builders' programs have in common."""

import os
import threading
import time
from pathlib import Path

import pytest

from bot.images.builders.interface import BuildError
from bot.images.builders.process import Deadline, clean_environment
from bot.process import StoppedError
from tests.support.waiting import BUSY

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_the_time_is_limited_for_all_programs_together() -> None:
    deadline = Deadline(threading.Event(), 1.5)
    began = time.monotonic()
    assert deadline.run(["sleep", "0.2"], ENVIRONMENT).code == 0
    with pytest.raises(BuildError, match=r"longer than 1\.5 seconds .* DPPCTL_BUILD_SECONDS"):
        deadline.run(["sleep", "60"], ENVIRONMENT)
    assert 1.5 <= time.monotonic() - began < 5 * BUSY
    with pytest.raises(BuildError):
        deadline.check()


def test_a_stop_is_none_of_the_builds_errors() -> None:
    stop = threading.Event()
    deadline = Deadline(stop, 60)
    with pytest.raises(StoppedError):
        deadline.run(["sh", "-c", "echo ready; sleep 60"], ENVIRONMENT, lambda _: stop.set())
    with pytest.raises(StoppedError):
        deadline.check()


def test_the_environment_holds_what_is_named_and_no_passwords(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"AWS_SECRET": "x", "HTTPS_PROXY": "http://a:b@c", "HTTP_PROXY": "http://c", "ON": "1"}.items():
        monkeypatch.setenv(name, value)
    found = clean_environment(tmp_path, "ON")
    assert found.keys() - {"SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy", "http_proxy", "https_proxy"} == {
        "PATH",
        "HOME",
        "LC_ALL",
        "HTTP_PROXY",
        "ON",
    }
