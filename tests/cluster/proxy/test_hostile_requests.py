"""What no client of ours sends: it is answered with one line, or the connection is closed, and nothing is left."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from cluster.limits import MAX_WORKLOAD_BYTES
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import Person, ProxyWorld

pytestmark = pytest.mark.needs("an API server")
SHA = "0" * 64


def raw(person: Person, text: bytes, until: bytes = b"") -> bytes:
    """Send this as it is, and return what is answered until the connection is closed, or `until` has come."""
    parts = urlsplit(person.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(text)
        answer = b""
        while not until or until not in answer:
            if not (piece := connection.recv(65536)):
                break
            answer += piece
    return answer


def head(person: Person, first: str, *headers: str) -> bytes:
    lines = [first, "Host: x", f"Authorization: Bearer {person.token}", *headers, "", ""]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs/..%2f..%2fsecrets",
        "/v1/runs/%2e%2e",
        "/v1/runs/A",
        "/v1/runs/a%00",
        "/v1/runs/a%0d%0ab",
        f"/v1/runs/{'a' * 300}",
        "/v1/workloads/../../runs",
        f"/v1/workloads/{SHA}%2f..",
        "/v1/workloads/ABC",
        "/v1//runs",
        "/",
    ],
)
def test_a_path_is_a_route_or_nothing(proxy: ProxyWorld, path: str) -> None:
    answer = raw(proxy.person(), head(proxy.person(), f"GET {path} HTTP/1.1", "Connection: close"))
    assert answer.split()[1] in (b"404", b"405", b"400")
    assert b'"code"' in answer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "pipelines: Field required"),
        (b"[" * 100_000, "the body: Invalid JSON: recursion limit"),
        (b'{"pipelines": ' + b'{"a":' * 5_000, "the body: Invalid JSON"),
        (b"\xff\xfe", "the body: Invalid JSON"),
        (b"[]", "the body: Input should be an object"),
        (b'{"pipelines": ["a"], "user": "token:root"}', "workload: Field required"),
        (b'{"pipelines": ["a"], "workload": {"sha256": "' + SHA.encode() + b'", "bytes": 1}, "user": "x"}', "user: "),
    ],
)
def test_a_body_is_what_it_should_be_or_refused_in_one_line(proxy: ProxyWorld, body: bytes, said: str) -> None:
    status, problem = proxy.person().refused("POST", "/v1/runs", data=body)
    assert (status, problem["code"], problem["error"][: len(said)]) == (400, "invalid", said)


def test_what_is_too_large_is_refused_before_it_is_read(proxy: ProxyWorld) -> None:
    ann = proxy.person()
    assert ann.refused("POST", "/v1/runs", data=b"a" * (3 * 2**20))[0] == 413
    length = f"Content-Length: {MAX_WORKLOAD_BYTES + 1}"
    answer = raw(ann, head(ann, f"PUT /v1/workloads/{SHA} HTTP/1.1", length), until=b"}")
    assert answer.split()[1] == b"413"
    assert b"268,435,456" in answer
    assert (
        raw(ann, head(ann, f"PUT /v1/workloads/{SHA} HTTP/1.1", "Transfer-Encoding: chunked"), b"}").split()[1]
        == b"411"
    )
    for headers in ([f"X: {'a' * 20_000}"], [f"X{number}: a" for number in range(500)]):
        assert raw(ann, head(ann, "GET /v1/runs HTTP/1.1", *headers), until=b"\r\n\r\n").split()[1] == b"400"
    assert raw(ann, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", until=b"\r\n\r\n").split()[1] == b"400"


def test_an_upload_that_is_slow_or_broken_or_another_one_leaves_nothing(
    runs: OperatorWorld, proxy: ProxyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.proxy.streams.UPLOAD_SILENCE_SECONDS", 0.3)
    before = sorted(runs.workloads.iterdir())
    ann = proxy.person()
    put = head(ann, f"PUT /v1/workloads/{SHA} HTTP/1.1", "Content-Length: 100")
    answer = raw(ann, put + b"half", until=b"}")
    assert answer.split()[1] == b"408"
    assert b"came too slowly" in answer
    with socket.create_connection((urlsplit(ann.url).hostname, urlsplit(ann.url).port)) as connection:
        connection.sendall(put + b"half")  # and goes away
    status, problem = ann.refused("PUT", f"/v1/workloads/{SHA}", data=b"something else")
    assert (status, problem["hint"]) == (400, "upload it again")
    longer = head(ann, f"PUT /v1/workloads/{SHA} HTTP/1.1", "Content-Length: 4", "Connection: close")
    assert raw(ann, longer + b"a" * 100).split()[1] == b"400"  # what is longer than said is no part of it
    assert ann.ask("HEAD", f"/v1/workloads/{SHA}").status_code == 404
    assert sorted(runs.workloads.iterdir()) == before


def test_a_slow_request_for_a_run_is_ended(proxy: ProxyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.proxy.requests.REQUEST_SECONDS", 0.2)
    ann = proxy.person()
    answer = raw(ann, head(ann, "POST /v1/runs HTTP/1.1", "Content-Length: 100") + b"{", until=b"}")
    assert answer.split()[1] == b"408"


@pytest.mark.parametrize("after", ["-1", "a", "1" * 30, "٣"])
def test_after_is_a_number(proxy: ProxyWorld, after: str) -> None:
    assert proxy.person().refused("GET", f"/v1/runs/a/events?after={after}")[0] == 400


def test_who_connects_and_asks_nothing_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.proxy.server.PROXY_IDLE_SECONDS", 0.3)
    world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, "http://127.0.0.1:9"), "runs", "http://127.0.0.1:9")
    with world.running():
        assert raw(world.person(), b"") == b""
        assert raw(world.person(), b"GET /v1/runs HTTP/1.1\r\nHost: x\r\nAuthori") == b""


def test_what_is_away_is_said_with_when_to_ask_again(tmp_path: Path) -> None:
    nowhere = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, "http://127.0.0.1:9"), "runs", "http://127.0.0.1:9")
    with nowhere.running():
        answer = nowhere.person().ask("GET", "/v1/runs")
        assert (answer.status_code, answer.json()["code"]) == (503, "cluster-away")
        answer = nowhere.person().ask("PUT", f"/v1/workloads/{SHA}", data=b"a")
        assert (answer.status_code, answer.json()["code"]) == (503, "operator-away")
        assert answer.headers["Retry-After"] == "2"
        assert requests.get(f"{nowhere.url}/healthz", timeout=5).status_code == 200
