"""The client of Kubernetes' API: how a cluster is found and errors by type, on loopback; the calls on an API server."""

import json
import os
import secrets
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bot.errors import PermanentError, TransientError
from bot.kubeconfig import current_context
from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient, NoClusterError
from bot.limits import MAX_LOG_LINE_BYTES
from tests.support.kubeconfig import kubeconfig_of
from tests.support.needs import needs
from tests.support.waiting import eventually


class Answers(BaseHTTPRequestHandler):
    """Answers `/CODE` with that code: a Status of Kubernetes, or, below 300, the request's own headers."""

    def do_GET(self) -> None:
        if self.path.startswith("/log"):
            self._send_log()
            return
        code = int(self.path.strip("/").partition("?")[0].partition("/")[0])
        status: dict[str, object] = {
            "kind": "Status",
            "message": f"answer {code}",
            "authorization": self.headers.get("Authorization"),
        }
        if "named" in self.path:
            status["details"] = {"name": "a", "kind": "pods"}
        body = b"<html>no JSON" if code == 502 else json.dumps(status).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_log(self) -> None:
        self.send_response(200)
        self.end_headers()
        for piece in (b"one\ntw", b"o\n", *[b"x" * 2**20] * 40, b"\nthe", b" end"):
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client(tmp_path: Path) -> Iterator[KubernetesClient]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield KubernetesClient(kubeconfig_of(tmp_path, f"http://127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("code", [401, 403, 404, 409, 422])
def test_what_the_server_refuses_is_permanent(client: KubernetesClient, code: int) -> None:
    with pytest.raises(ApiError, match=rf"^the cluster refused: {code} .*: answer {code}$") as raised:
        list(client.lines(f"/{code}", 5))
    assert (raised.value.status, raised.value.reason) == (code, f"answer {code}")
    assert isinstance(raised.value, PermanentError)


def test_of_a_line_without_end_in_a_log_the_beginning_is_read(client: KubernetesClient) -> None:
    tracemalloc.start()
    try:
        found = list(client.lines("/log", 5))
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_LOG_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert (found[:2], found[3:]) == ([b"one\n", b"two\n"], [b"the end"])
    assert MAX_LOG_LINE_BYTES <= len(found[2]) < MAX_LOG_LINE_BYTES + 2**17


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_the_server_cannot_answer_now_is_transient(client: KubernetesClient, code: int) -> None:
    with pytest.raises(ApiAwayError, match=f"^the cluster refused: {code} ") as raised:
        client.get(f"/{code}")
    assert isinstance(raised.value, TransientError)


def test_the_token_is_sent_and_an_object_that_is_not_there_is_none(client: KubernetesClient) -> None:
    assert (client.get("/200") or {})["authorization"] == "Bearer t0k3n"
    assert client.get("/404/named") is None
    with pytest.raises(ApiError):  # a proxy's page, or an API that is not served: it says nothing of the object
        client.get("/404")
    with pytest.raises(ApiAwayError, match="a Status instead of a list"):
        client.list("/200")


def test_a_server_that_is_away_is_transient(tmp_path: Path) -> None:
    client = KubernetesClient(kubeconfig_of(tmp_path, "http://127.0.0.1:1"))
    with pytest.raises(ApiAwayError, match=r"^the cluster does not answer: .*refused"):
        client.get("/api/v1/pods")


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"hello", b"\xff\xfe\x80", b"{current-context: x, contexts: [{name: x}]}"]
)
def test_a_file_that_is_no_kubeconfig_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (tmp_path / "kubeconfig").write_bytes(content)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    for find in (current_context, KubernetesClient, lambda: KubernetesClient(context="x")):
        with pytest.raises(NoClusterError, match="no cluster is configured: ") as raised:
            find()
        assert "\n" not in str(raised.value)


def test_the_cluster_is_the_one_that_is_named_else_that_of_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for context in (None, "mine"):
        with pytest.raises(NoClusterError, match=r"^no cluster is configured: ") as raised:
            KubernetesClient(context=context)
        assert isinstance(raised.value, PermanentError)
    with pytest.raises(NoClusterError):
        current_context()
    file = kubeconfig_of(tmp_path, "http://127.0.0.1:1")
    KubernetesClient(file)
    with pytest.raises(NoClusterError, match="nowhere"):
        KubernetesClient(file, "nowhere")
    monkeypatch.setenv("KUBECONFIG", file)
    KubernetesClient(context="other")
    assert current_context() == "mine"
    kubeconfig_of(tmp_path, "http://127.0.0.1:1", current=None)
    with pytest.raises(NoClusterError):
        current_context()


@pytest.fixture
@needs("an API server")
def cluster() -> KubernetesClient:
    """A real API server."""
    kubeconfig = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    return KubernetesClient(kubeconfig)


def test_objects_are_made_listed_merged_applied_and_deleted(
    cluster: KubernetesClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.kubernetes._PAGE", 2)
    namespace = f"client-{secrets.token_hex(4)}"
    cluster.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(5):
        labels = {"kind": "test"}
        cluster.create(path, {"metadata": {"name": f"a-{number}", "labels": labels}, "data": {"number": str(number)}})
    assert [each["metadata"]["name"] for each in cluster.list(path, "kind=test")] == [f"a-{n}" for n in range(5)]
    assert "data" not in cluster.list(path, "kind=test", metadata=True)[0]
    with pytest.raises(ApiError, match=r'^the cluster refused: 409 Conflict: configmaps "a-1" already exists$'):
        cluster.create(path, {"metadata": {"name": "a-1"}})

    assert cluster.patch(f"{path}/a-1", {"data": {"more": "x"}})["data"] == {"number": "1", "more": "x"}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a-1"}, "data": {"number": "9"}}
    assert cluster.path(manifest, namespace) == f"{path}/a-1"
    assert cluster.apply(f"{path}/a-1", manifest, "test", dry_run=True)["data"]["number"] == "9"
    assert (cluster.get(f"{path}/a-1") or {})["data"]["number"] == "1"
    assert cluster.apply(f"{path}/a-1", manifest, "test")["data"]["number"] == "9"

    cluster.delete(f"{path}/a-1")
    cluster.delete(f"{path}/a-1")
    assert cluster.get(f"{path}/a-1") is None
    with pytest.raises(ApiError, match=r"^the cluster has no Nothing of v1$"):
        cluster.path({**manifest, "kind": "Nothing"}, namespace)


def test_the_server_says_its_version_and_what_this_account_may_do(cluster: KubernetesClient) -> None:
    assert cluster.version().startswith("v1.")
    assert cluster.may("create", "batch", "jobs", "default")


def test_a_token_that_is_no_longer_valid_is_read_anew(cluster: KubernetesClient, tmp_path: Path) -> None:
    """As a pod's own, which the kubelet renews in its file. Here its account is made anew, the old one refused."""
    namespace = f"client-{secrets.token_hex(4)}"
    cluster.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"

    def new_token() -> str:
        cluster.create(accounts, {"metadata": {"name": "sync"}})
        return str(cluster.create(f"{accounts}/sync/token", {"spec": {}})["status"]["token"])

    file, token = Path(kubeconfig_of(tmp_path, cluster.configuration.host)), tmp_path / "token"
    content = json.loads(file.read_text())
    content["users"][0]["user"] = {"tokenFile": str(token)}
    content["clusters"][0]["cluster"]["certificate-authority"] = cluster.configuration.ssl_ca_cert
    file.write_text(json.dumps(content))
    token.write_text(new_token())
    client = KubernetesClient(str(file))
    assert not client.may("list", "", "secrets", namespace)

    cluster.delete(f"{accounts}/sync")
    with pytest.raises(ApiError, match=r"^the cluster refused: 401 "):
        eventually(lambda: client.may("list", "", "secrets", namespace), "the old token is refused", 30)
    token.write_text(new_token())
    assert not client.may("list", "", "secrets", namespace)
