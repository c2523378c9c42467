"""The one way to run a program, tried with real ones."""

import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bot.limits import MAX_PROGRAM_LINE
from bot.process import Ended, StartError, StoppedError, TimeLimitError, ask, run
from tests.support.environment import REPOSITORY, processes_with
from tests.support.waiting import BUSY, eventually

ENVIRONMENT = {"PATH": os.environ["PATH"]}
IGNORES_SIGTERM = "trap '' TERM; sleep 600 & echo ready; while :; do sleep 600; done"


def shell(script: str, **options: object) -> Ended:
    return run(["sh", "-c", script], **{"environment": ENVIRONMENT, **options})


def test_lines_end_with_any_line_end_and_are_cut_when_too_long() -> None:
    lines: list[str] = []
    text = "one\\n10\\r20\\r\\n\\033[31mred\\033[0m\\n" + 3 * MAX_PROGRAM_LINE * "x" + "\\nlast"
    ended = shell(f"printf '{text}'; printf oops >&2; exit 4", on_line=lines.append)
    assert lines[:4] == ["one", "10", "20", "red"]
    assert len(lines[4]) == MAX_PROGRAM_LINE
    assert lines[5:] == ["lastoops"]
    assert (ended.code, ended.lines) == (4, lines)


def test_a_line_end_of_two_characters_is_one_also_when_they_come_apart() -> None:
    assert shell("printf 'one\\r'; sleep 0.3; printf '\\ntwo\\r'").lines == ["one", "two"]


def test_lines_come_while_the_program_still_runs(tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    shell(f"echo first; until [ -e {go_on} ]; do sleep 0.05; done; echo last", on_line=lambda _: go_on.touch())


def test_output_without_a_line_end_does_not_fill_the_memory() -> None:
    program = "import os\nfor _ in range(200): os.write(1, b'x' * 2**16)"
    ended = run([sys.executable, "-c", program], environment=ENVIRONMENT)
    assert [len(line) for line in ended.lines] == [MAX_PROGRAM_LINE]


def test_what_is_no_utf_8_does_not_break_it() -> None:
    ended = shell("printf 'caf\\351\\n'; printf 'caf\\351' >&2", separate=True)
    assert (ended.out, ended.lines) == ("caf\ufffd\n", ["caf\ufffd"])


def test_stdout_can_be_kept_apart_as_it_is() -> None:
    lines: list[str] = []
    ended = shell("printf ' {}\\r\\n\\n'; echo note >&2", separate=True, on_line=lines.append)
    assert (ended.out, lines) == (" {}\r\n\n", ["note"])


def test_secrets_are_masked_also_when_they_come_in_pieces_or_are_cut() -> None:
    secrets = ["hush-hush", "first line\nsecond line", "hush"]
    pieces = "printf 'a hush-'; sleep 0.3; printf 'hush b\\n'; echo of the second line"
    assert shell(pieces, secrets=secrets).lines == ["a *** b", "of the ***"]
    colours = "printf 'hu\\033[31msh\\n'"
    assert shell(colours, secrets=secrets).lines == ["***"]
    for filling in range(4 * MAX_PROGRAM_LINE - 20, 4 * MAX_PROGRAM_LINE + 20):
        # Masks make a line shorter, so that its very end is shown: there must be no part of a secret.
        text = "hush-hush" * (filling // 9) + "x" * (filling % 9) + "hush-hush"
        (line,) = run(["printf", "%s", text + 99 * "y"], environment=ENVIRONMENT, secrets=secrets).lines
        assert "hush" not in line.replace("***", "")
        assert not line.endswith(("h", "hu", "hus"))


def test_the_environment_and_the_input_are_what_is_given(tmp_path: Path) -> None:
    ended = run(["env"], environment={**ENVIRONMENT, "ONLY": "this"}, folder=tmp_path)
    assert {line.partition("=")[0] for line in ended.lines} == {"PATH", "ONLY"}
    long = "x" * 2**20
    assert run(["wc", "-c"], environment=ENVIRONMENT, stdin=long).lines == [str(2**20)]
    assert run(["true"], environment=ENVIRONMENT, stdin=long).code == 0, "who does not read it is no error"
    assert run(["cat"], environment=ENVIRONMENT).lines == []


def test_an_exit_code_and_a_signal_are_answers() -> None:
    assert shell("exit 3").code == 3
    assert shell("kill -9 $$").code == -signal.SIGKILL


def test_who_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    stop = threading.Event()
    began = time.monotonic()
    with pytest.raises(StoppedError, match=r"^sh: stopped$") as stopped:
        shell(
            IGNORES_SIGTERM,
            environment={**ENVIRONMENT, "MARK": str(tmp_path)},
            stop=stop,
            grace=0.5,
            on_line=lambda _: stop.set(),
        )
    assert 0.5 <= time.monotonic() - began < 5 * BUSY
    assert stopped.value.ended
    assert stopped.value.ended.code == -signal.SIGKILL
    eventually(lambda: not processes_with(str(tmp_path)), "its children are gone", 5)


def test_who_hears_sigterm_has_time_to_say_how_it_ended() -> None:
    stop = threading.Event()
    script = "trap 'echo rolled back; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    with pytest.raises(StoppedError) as stopped:
        shell(script, stop=stop, grace=20, on_line=lambda _: stop.set())
    ended = stopped.value.ended
    assert ended
    assert (ended.code, ended.lines[0], ended.lines[-1]) == (7, "ready", "rolled back")


def test_what_was_stopped_before_does_not_start(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        run(["touch", tmp_path / "started"], environment=ENVIRONMENT, stop=stop)
    assert not (tmp_path / "started").exists()


def test_a_grandchild_that_is_left_behind_does_not_hold_it_up_and_goes(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "MARK": str(tmp_path)}
    for left in ("sleep 600", "sh -c 'while :; do echo again; sleep 0.02; done'"):
        began = time.monotonic()
        assert shell(f"echo first; {left} &", environment=environment, grace=0.5).lines[0] == "first"
        assert time.monotonic() - began < 5 * BUSY
        eventually(lambda: not processes_with(str(tmp_path)), "the grandchild is gone", 5)


def test_the_time_is_limited() -> None:
    with pytest.raises(TimeLimitError, match=r"^sh: no end within 0\.5 seconds$"):
        shell("while :; do echo busy; sleep 0.05; done", seconds=0.5)


def test_silence_is_limited_and_output_breaks_it() -> None:
    with pytest.raises(TimeLimitError, match=r"^sh: no output for 0\.5 seconds$"):
        shell("echo first; sleep 60", silence=0.5)
    assert len(shell("for i in 1 2 3 4 5 6; do printf .; sleep 0.3; done", silence=1.5).text) == 6


def test_an_error_of_the_caller_ends_it(tmp_path: Path) -> None:
    def broken(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shell(IGNORES_SIGTERM, environment={**ENVIRONMENT, "MARK": str(tmp_path)}, grace=0.2, on_line=broken)
    eventually(lambda: not processes_with(str(tmp_path)), "it is gone", 5)


def test_a_program_that_is_not_there_or_hangs_is_an_answer_to_who_asks() -> None:
    with pytest.raises(StartError, match=r"^no-such-program: No such file or directory$"):
        run(["no-such-program"], environment=ENVIRONMENT)
    assert ask(["no-such-program"], ENVIRONMENT, 5).lines == ["no-such-program: No such file or directory"]
    assert ask(["sleep", "60"], ENVIRONMENT, 0.2).lines == ["sleep: no answer within 0.2 seconds"]


@pytest.mark.needs("root")
def test_another_user_can_run_it() -> None:
    nobody = pwd.getpwnam("nobody")
    ended = shell("id -u; id -G", user="nobody", folder=Path("/"))
    assert ended.lines == [str(nobody.pw_uid), str(nobody.pw_gid)]


@pytest.mark.needs("setpriv")
def test_it_ends_when_the_parent_is_killed(tmp_path: Path) -> None:
    program = f"""if True:
        from bot.process import run
        run(["sleep", "600"], environment={{"PATH": {os.environ["PATH"]!r}, "MARK": {str(tmp_path)!r}}})
    """
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY)
    try:
        mark = f"MARK={tmp_path}"
        eventually(lambda: [pid for pid in processes_with(mark) if name(pid) == "sleep"], "the program runs")
        parent.kill()
        eventually(lambda: not processes_with(mark), "the program ended", 5)
    finally:
        parent.kill()
        parent.wait()


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
