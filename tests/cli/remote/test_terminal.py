"""`dppctl ssh` on a cluster, at a small server that speaks the channels: a shell that answers what it is told.

The real thing, a shell in a pod behind a real proxy, is in tests/stories/on_a_cluster.
"""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from tests.support.environment import REPOSITORY
from tests.support.terminal import read_until
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


FAILED = {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}


@dataclass
class Shell:
    """Echoes a line to stdout; `exit` ends with code 7, `fail` breaks the connection."""

    protocols: tuple[str, ...] = ("v5.channel.k8s.io", "v4.channel.k8s.io")
    sizes: list[dict[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.path_qs} {request.headers['Authorization']}")
        if request.match_info["name"] == "gone":
            answer = {"error": "there is no pod gone of yours", "code": "no-such-pod", "hint": "dppctl list pods"}
            return web.json_response(answer, status=404)
        websocket = web.WebSocketResponse(protocols=self.protocols)
        await websocket.prepare(request)
        await websocket.send_bytes(b"\x01ready\r\n")
        typed = b""
        async for message in websocket:
            assert message.type is WSMsgType.BINARY
            channel, content = message.data[0], message.data[1:]
            if channel == 4:
                self.sizes.append(json.loads(content))
                continue
            typed += content if channel == 0 else b"exit\n"  # the end of stdin
            if b"fail" in typed:
                break
            if b"exit" in typed:
                await websocket.send_bytes(b"\x01" + typed.partition(b"exit")[0])
                await websocket.send_bytes(b"\x02an error\n")
                await websocket.send_bytes(b"\x03" + json.dumps(FAILED).encode())
                break
        await websocket.close()
        return websocket

    async def pods(self, _request: web.Request) -> web.Response:
        pod = {
            "name": "gone-1",
            "kind": "worker",
            "pool": "default",
            "state": "assigned",
            "since": "2026-01-01T00:00:00Z",
        }
        return web.json_response({"pods": [pod]})

    @contextmanager
    def serving(self) -> Iterator[None]:
        loop = asyncio.new_event_loop()
        application = web.Application()
        application.add_routes([web.get("/v1/pods/{name}/exec", self.serve), web.get("/v1/pods", self.pods)])
        runner = web.AppRunner(application, shutdown_timeout=0.1)

        async def start() -> None:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

        thread = threading.Thread(target=loop.run_forever)  # playwright keeps a loop in the tests' own
        thread.start()
        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def shell(settings_folder: Path) -> Iterator[Shell]:
    assert settings_folder
    shell = Shell()
    with shell.serving():
        add_cluster(NamedCluster("office", shell.url))
        use_cluster("office")
        yield shell


def command(pod: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "DPPCTL_TOKEN": "dppctl_x", "PYTHONPATH": str(REPOSITORY)}
    return [sys.executable, "-m", "cli.main", "ssh", pod], environment


@contextmanager
def terminal_of(pod: str) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """`dppctl ssh` at a terminal of 80 columns: the process, a person's end, and the process's."""
    arguments, environment = command(pod)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        arguments, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        yield process, ours, theirs
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_a_terminal_is_raw_while_it_lasts_and_has_the_shells_code(shell: Shell) -> None:
    with terminal_of("pod-1") as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        seen = read_until(ours, b"ready")
        assert not termios.tcgetattr(theirs)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
        assert shell.sizes == [{"Width": 80, "Height": 24}]
        termios.tcsetwinsize(theirs, (50, 132))
        process.send_signal(signal.SIGWINCH)  # the session has no controlling terminal that would
        eventually(lambda: shell.sizes[-1] == {"Width": 132, "Height": 50}, "the size is told", 20)
        os.write(ours, b"\x03\xff\xfe exit\r")  # Ctrl-C goes to the shell, and so do bytes that are no text
        seen += read_until(ours, b"an error")
        assert b"\x03\xff\xfe " in seen
        assert process.wait(20) == 7
        assert termios.tcgetattr(theirs) == before
    assert shell.asked == ["/v1/pods/pod-1/exec?tty=1 Bearer dppctl_x"]


def test_a_terminal_is_as_before_when_the_command_is_ended(shell: Shell) -> None:
    assert shell.url
    with terminal_of("pod-1") as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        read_until(ours, b"ready")
        process.terminate()
        assert process.wait(20) == 143
        assert termios.tcgetattr(theirs) == before


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_commands_come_from_a_pipe(shell: Shell, protocol: str) -> None:
    shell.protocols = (protocol,)
    arguments, environment = command("pod-1")
    done = subprocess.run(arguments, env=environment, input=b"text\n", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (7, b"an error\n")
    assert done.stdout.startswith(b"ready\r\ntext\n")
    assert shell.asked == ["/v1/pods/pod-1/exec?tty=0 Bearer dppctl_x"]


@pytest.mark.parametrize(
    ("pod", "given", "said"),
    [
        ("gone", b"", "dppctl: there is no pod gone of yours on office; did you mean gone-1? known: gone-1\n"),
        ("pod-1", b"fail\n", "dppctl: the shell in pod-1 ended without saying how; is the pod still there?\n"),
    ],
)
def test_a_shell_that_cannot_be_had_is_one_line(shell: Shell, pod: str, given: bytes, said: str) -> None:
    assert shell.url
    arguments, environment = command(pod)
    done = subprocess.run(arguments, env=environment, input=given, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.decode()) == (2, said)
