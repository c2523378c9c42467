"""The one function that runs builders' programs."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from bot.images.builders.interface import BuildError, BuildStoppedError
from bot.images.builders.process import Watch, ask, clean_environment, run
from bot.limits import MAX_BUILD_LINE
from tests.support.environment import processes_with
from tests.support.waiting import BUSY, eventually

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def watch(seconds: float = 60) -> Watch:
    return Watch(threading.Event(), seconds)


def test_lines_end_with_any_line_end_and_are_cut_when_too_long() -> None:
    lines: list[str] = []
    text = "one\\n10\\r20\\r\\n\\033[31mred\\033[0m\\n" + 3 * MAX_BUILD_LINE * "x" + "\\nlast"
    ended = run(["sh", "-c", f"printf '{text}'; printf oops >&2; exit 4"], ENVIRONMENT, watch(), lines.append)
    assert lines[:4] == ["one", "10", "20", "red"]
    assert len(lines[4]) == MAX_BUILD_LINE
    assert lines[5:] == ["lastoops"]
    assert (ended.code, ended.lines) == (4, lines)


def test_output_without_a_line_end_does_not_fill_the_memory() -> None:
    program = "import os\nfor _ in range(200): os.write(1, b'x' * 2**16)"
    ended = run([sys.executable, "-c", program], ENVIRONMENT, watch())
    assert [len(line) for line in ended.lines] == [MAX_BUILD_LINE]


def test_one_who_ignores_the_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    stop = threading.Event()
    script = "trap '' TERM; sleep 600 & echo ready; while :; do sleep 600; done"
    environment = {**ENVIRONMENT, "MARK": str(tmp_path)}
    began = time.monotonic()
    with pytest.raises(BuildStoppedError):
        run(["sh", "-c", script], environment, Watch(stop, 60), lambda _: stop.set())
    assert time.monotonic() - began < 10 * BUSY
    eventually(lambda: not processes_with(str(tmp_path)), "its children are gone", 5)


def test_a_child_that_is_left_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "MARK": str(tmp_path)}
    ended = run(["sh", "-c", "sleep 600 & echo done"], environment, watch(20))
    assert (ended.code, ended.lines) == (0, ["done"])
    eventually(lambda: not processes_with(str(tmp_path)), "the child is gone", 5)


def test_the_time_is_limited() -> None:
    with pytest.raises(BuildError, match=r"longer than 0\.5 seconds .* DPPCTL_BUILD_SECONDS"):
        run(["sleep", "60"], ENVIRONMENT, watch(0.5))


def test_a_program_that_is_not_there_or_hangs_is_an_answer() -> None:
    assert ask(["no-such-program"], ENVIRONMENT, 5).lines == ["no-such-program: No such file or directory"]
    assert ask(["sleep", "60"], ENVIRONMENT, 0.2).lines == ["sleep: no answer within 0.2 seconds"]


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
