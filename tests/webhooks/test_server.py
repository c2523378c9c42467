"""The receiver as `dppctl up` runs it: gunicorn."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests

from bot.errors import DppctlError
from bot.settings import Settings, load_settings
from bot.store.store import Store
from cli.servers.gunicorn import APPLICATION, WORKER, Receiver
from tests.support.environment import REPOSITORY, processes_with
from tests.support.receiver import PUSH, write_config
from tests.support.receiver import Receiver as Sender
from tests.support.stores import open_store
from tests.support.waiting import BUSY, eventually

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Served:
    """A receiver with its store, and whether the bot was told of a delivery."""

    receiver: Receiver
    store: Store
    settings: Settings
    heard: threading.Event


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    config = write_config(folder)
    settings, heard = load_settings(config, {}), threading.Event()
    store = open_store(settings.database_url)
    receiver = Receiver(config, settings, on_delivery=heard.set)
    yield Served(receiver, store, settings, heard)
    receiver.stop()
    store.close()
    assert not processes_with(str(config))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """One of the test's own."""
    with serve(tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that is as before after each test, but for what it has recorded."""
    with serve(tmp_path_factory.mktemp("receiver")) as served:
        yield served


def test_deliveries_are_taken_by_all_its_processes_and_none_is_lost(served: Served) -> None:
    receiver, store = served.receiver, served.store
    sender = Sender(receiver.address, store)
    for number in range(40):  # no kept connection: each may meet another process
        assert sender.deliver(PUSH, headers={"X-GitHub-Delivery": f"d{number}"}).status_code == 202
        assert sender.deliver(PUSH, headers={"X-GitHub-Delivery": f"d{number}"}).status_code == 200
    assert len(store.deliveries.take()) == 40
    metrics = requests.get(f"{receiver.address}/metrics", timeout=60).text
    assert 'dppctl_deliveries{outcome="received"} 40.0' in metrics
    assert "dppctl_queue_depth 40.0" in metrics
    assert requests.get(f"{receiver.address}/readyz", timeout=60).status_code == 200


def test_the_bot_hears_of_a_delivery_at_once_and_not_of_what_it_has_nothing_to_do_with(served: Served) -> None:
    receiver, heard = served.receiver, served.heard
    receiver.wait_until_up(threading.Event())
    sender = Sender(receiver.address, served.store)
    others = {**PUSH, "repository": {"full_name": "some/other"}}
    assert sender.deliver(others, headers={"X-GitHub-Delivery": "d0"}).json()["outcome"].startswith("ignored")
    assert not heard.is_set()
    sender.deliver(PUSH, headers={"X-GitHub-Delivery": "d1"})
    assert heard.wait(BUSY)


def test_sync_reports_with_the_token_that_was_made_for_this_start(shared: Served) -> None:
    sender = Sender(shared.receiver.address, shared.store)
    assert sender.report(token=shared.settings.sync.token.get_secret_value()).status_code == 202
    assert sender.report(token="").status_code == 401


def test_a_body_is_limited_before_it_is_read_also_one_of_unknown_length(shared: Served) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1000

    address, headers = f"{shared.receiver.address}/webhooks/github", {"Content-Type": "application/json"}
    assert requests.post(address, data=b" " * 2001, headers=headers, timeout=60).status_code == 413
    with contextlib.suppress(requests.ConnectionError):  # it closes while we still send
        assert requests.post(address, data=endless(), headers=headers, timeout=60).status_code == 413


def test_any_number_of_pages_are_live_and_leave_room_for_deliveries(served: Served) -> None:
    receiver = served.receiver
    with contextlib.ExitStack() as open_pages:
        for _ in range(100):  # none is read to its end, none closed
            page = requests.get(f"{receiver.address}/events", stream=True, timeout=60)
            assert open_pages.enter_context(page).status_code == 200
        assert Sender(receiver.address, served.store).deliver().status_code == 202
        start = time.monotonic()
        receiver.stop()
        assert time.monotonic() - start < 3 * BUSY


def test_a_page_hears_of_a_change_once(shared: Served) -> None:
    store, token = shared.store, shared.settings.sync.token.get_secret_value()

    def ask(seen: int) -> str:
        answer = requests.get(f"{shared.receiver.address}/events", headers={"Last-Event-ID": str(seen)}, timeout=60)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return answer.text

    before = store.totals.change_number()
    assert "event: change" not in ask(before)
    Sender(shared.receiver.address, store).report(token, ops_commit="c" * 40)
    now = store.totals.change_number()
    assert f"id: {now}\nevent: change\n" in ask(before)
    assert "event: change" not in ask(now)
    assert ask(now).startswith("retry: ")


def test_a_port_in_use_is_said_in_one_line(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings(config, {"DPPCTL_PORT": str(port)})
        with pytest.raises(DppctlError, match=rf"DPPCTL_PORT {port}: Address already in use"):
            Receiver(config, settings)


def test_slow_clients_do_not_keep_a_delivery_waiting(shared: Served) -> None:
    """They hold a thread each, with headers or a body that do not end."""
    host, port = shared.receiver.address.removeprefix("http://").split(":")
    starts = (b"", b"POST /webhooks/github HTTP/1.1\r\nX-Slow: ", SLOW_BODY)
    with contextlib.ExitStack() as slow:
        clients = [slow.enter_context(socket.create_connection((host, int(port)))) for _ in range(64)]
        for number, client in enumerate(clients):
            client.sendall(starts[number % len(starts)])
        time.sleep(1)  # so that all of them are accepted
        for client in clients[1:]:
            client.sendall(b"x")
        answer = requests.post(f"{shared.receiver.address}/webhooks/github", data=b"{}", timeout=9)
        assert answer.status_code == 415
        assert Sender(shared.receiver.address, shared.store).deliver().status_code == 202


SLOW_BODY = (
    b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)


def test_a_client_that_trickles_is_given_up(config: Path, store: Store, tmp_path: Path) -> None:
    """With shorter deadlines than the receiver's own."""
    assert store
    short = (
        "from webhooks import gunicorn_worker\ngunicorn_worker.HEADER_SECONDS = gunicorn_worker.BODY_SECONDS = 1.0\n"
    )
    (tmp_path / "short.py").write_text(short)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-P", "-m", "gunicorn", "--config", f"{tmp_path}/short.py", "--worker-class", WORKER]
        command += ["--bind", f"fd://{listening.fileno()}", "--no-control-socket", APPLICATION]
        variables = {**os.environ, "DPPCTL_CONFIG": str(config)}
        process = subprocess.Popen(command, env=variables, cwd=REPOSITORY, pass_fds=[listening.fileno()])
        try:
            for start in (b"POST /webhooks/github HTTP/1.1\r\nX-Slow: ", SLOW_BODY):
                with socket.create_connection(listening.getsockname()) as client:
                    client.sendall(start)
                    client.settimeout(0.2)
                    eventually(partial(is_given_up, client), "it is closed")
        finally:
            process.terminate()
            process.wait()


def is_given_up(client: socket.socket) -> bool:
    """Send one byte more; tell whether the server has ended the request."""
    try:
        client.sendall(b"x")
        answer = client.recv(1000)
    except TimeoutError:
        return False
    except OSError:
        return True
    return not answer or answer.startswith(b"HTTP/1.1 4")
