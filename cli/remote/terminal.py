"""`dppctl ssh` on a cluster: this terminal, or a pipe, at the other end of a pod's shell.

What goes over the websocket are Kubernetes' channels: the first byte of a message says which.
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/streaming/pkg/httpstream/wsstream/conn.go
"""

import json
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import certifi
import websocket

from cli.remote.client import ProxyClient
from cli.remote.errors import ProxyAwayError, refusal_of_text
from cli.remote.limits import CHUNK_BYTES, CONNECT_SECONDS, STREAM_SILENCE_SECONDS
from cluster.errors import ClusterError

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


def open_shell(proxy: ProxyClient, pod: str) -> int:
    """Connect stdin and stdout with a shell in a pod until it ends; return its exit code.

    Raises ClusterError, ProxyAwayError and ProxyRefusedError.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    connection = _connect(proxy, f"/v1/pods/{quote(pod, safe='')}/exec?tty={int(is_terminal)}")
    try:
        with _raw_terminal() if is_terminal else _nothing(), _input(connection, is_terminal=is_terminal):
            return _show(connection, pod)
    except (websocket.WebSocketException, OSError) as error:
        raise ProxyAwayError(f"the connection with {pod} broke off: {error}") from None
    finally:
        connection.close(timeout=1)


def _connect(proxy: ProxyClient, path: str) -> websocket.WebSocket:
    parts = urlsplit(proxy.base + path)
    url = urlunsplit(parts._replace(scheme={"https": "wss", "http": "ws"}[parts.scheme]))
    verify = proxy.session.merge_environment_settings(url, {}, None, None, None)["verify"]
    authorities = verify if isinstance(verify, str) else certifi.where()
    forwarded: dict[str, Any] = {"socket": proxy.service.open()} if proxy.service else {}
    try:
        return websocket.create_connection(
            url,
            timeout=CONNECT_SECONDS,
            header=[f"Authorization: Bearer {proxy.token}"],
            subprotocols=[V5, V4],
            enable_multithread=True,
            suppress_origin=True,
            redirect_limit=0,
            sslopt={"ca_certs": authorities},
            **forwarded,
        )
    except websocket.WebSocketBadStatusException as error:
        body = error.resp_body or b""
        raise refusal_of_text(error.status_code, body, proxy.cluster.name) from None
    except (websocket.WebSocketException, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise ProxyAwayError(f"the cluster {proxy.cluster.name} does not answer at {proxy.cluster}: {reason}") from None


def _show(connection: websocket.WebSocket, pod: str) -> int:
    """Write what comes to stdout and stderr; return the exit code that comes at the end."""
    connection.settimeout(STREAM_SILENCE_SECONDS)  # the proxy pings every 20 s
    while True:
        try:
            message = connection.recv()
        except websocket.WebSocketConnectionClosedException:
            raise ClusterError(f"the shell in {pod} ended without saying how; is the pod still there?") from None
        content = message.encode() if isinstance(message, str) else message
        if not content:
            continue
        if content[0] == STATUS:
            return _exit_code(content[1:], pod)
        if content[0] in (STDOUT, STDERR):
            target = sys.stdout.buffer if content[0] == STDOUT else sys.stderr.buffer
            target.write(content[1:])
            target.flush()


def _exit_code(status: bytes, pod: str) -> int:
    """Return what a Status says: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""
    try:
        said = json.loads(status)
        if said.get("status") == "Success":
            return 0
        causes = (said.get("details") or {}).get("causes") or []
        return next(int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode")
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration):
        reason = " ".join(status.decode(errors="replace").split())[:300]
        raise ClusterError(f"no shell can be opened in {pod}: {reason}") from None


@contextmanager
def _input(connection: websocket.WebSocket, *, is_terminal: bool) -> Iterator[None]:
    """Send what comes on stdin, and the terminal's size when it changes, from a thread, in this context."""
    woken, wake = os.pipe()
    ended = threading.Event()
    before: Any = None
    if is_terminal:
        _send_size(connection)
        before = signal.signal(signal.SIGWINCH, lambda *_: os.write(wake, b"w"))  # the thread sends: one at a time
    sender = threading.Thread(target=_send, args=(connection, woken, ended, is_terminal), daemon=True)
    sender.start()
    try:
        yield
    finally:
        if is_terminal:
            signal.signal(signal.SIGWINCH, before)
        ended.set()
        os.write(wake, b"e")
        sender.join()
        os.close(woken)
        os.close(wake)


def _send(connection: websocket.WebSocket, woken: int, ended: threading.Event, is_terminal: bool) -> None:
    sources = [sys.stdin.fileno(), woken]
    with suppress(websocket.WebSocketException, OSError):  # the other thread hears of it too
        while not ended.is_set():
            ready, _, _ = select.select(sources, [], [])
            if woken in ready:
                os.read(woken, 100)
                if is_terminal:
                    _send_size(connection)
            elif piece := os.read(sources[0], CHUNK_BYTES):
                connection.send_binary(bytes([STDIN]) + piece)
            else:
                sources.remove(sys.stdin.fileno())
                _end_input(connection)


def _end_input(connection: websocket.WebSocket) -> None:
    """Say that no more input comes; v4 of the protocol cannot, so the shell is told to exit with its last code."""
    if connection.subprotocol == V5:
        connection.send_binary(bytes([CLOSE, STDIN]))
    else:
        connection.send_binary(bytes([STDIN]) + b"\nexit\n")


def _send_size(connection: websocket.WebSocket) -> None:
    size = shutil.get_terminal_size()
    with suppress(OSError):
        size = os.get_terminal_size(sys.stdin.fileno())
    connection.send_binary(bytes([RESIZE]) + json.dumps({"Width": size.columns, "Height": size.lines}).encode())


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Pass every key on, Ctrl-C too; the terminal is as before in the end, whatever happens."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    ended_by = (signal.SIGTERM, signal.SIGHUP)  # which would end it without a word, and leave the terminal raw
    handlers = [signal.signal(number, lambda number, _: sys.exit(128 + number)) for number in ended_by]
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in zip(ended_by, handlers, strict=True):
            signal.signal(number, handler)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
