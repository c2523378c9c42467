"""A terminal in a real pod, through the proxy and the kubelet."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from websocket import WebSocket, create_connection

from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster
from cli.remote.errors import ProxyRefusedError
from tests.support.charts.rendering import CHART
from tests.support.cluster import ClusterImages, Namespace
from tests.support.environment import REPOSITORY
from tests.support.stories.operator_world import KEY, RunsNamespace
from tests.support.stories.proxy_world import Person, ProxyWorld
from tests.support.waiting import eventually
from tests.support.workloads import write_files


def test_a_shell_in_a_worker_has_dpp_a_size_and_an_exit_code_and_a_database_psql(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dppctl-workers"}}
    namespace.apply({**secret, "data": {"key": b64encode(KEY).decode()}})
    image = cluster_images.app(tmp_path, {})
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "300Mi"}}
    workers = {"enabled": True, "mode": "persistent", "replicas": 1, "image": image}
    workers |= {"database": True, "databaseUi": False}
    database = {**cluster_images.database(), "enabled": False}
    people = cluster_images.people(resources=small, workers=workers, database=database)
    namespace.deploy(CHART, {**people, "image": image})
    RunsNamespace(tmp_path, os.environ["KUBECONFIG"], namespace.name, 8080)  # which makes the kind of runs
    proxy = ProxyWorld(tmp_path, os.environ["KUBECONFIG"], namespace.name, "http://127.0.0.1:9")
    with proxy.running():
        admin = proxy.person("root", ("read", "ssh", "admin"))
        pod = eventually(lambda: free(admin, "worker"), "a worker waits", 180)

        shell = terminal(admin, pod, "tty=1")
        shell.send_binary(b'\x04{"Width":101,"Height":33}')
        shell.send_binary(b"\x00stty size; pwd; command -v dpp && printf 'd%s\\n' one; exit 7\r")
        said, code = to_its_end(shell)
        assert b"33 101" in said[1]
        assert b"/dppctl/work" in said[1]
        assert b"done" in said[1]
        assert code == 7

        program = terminal(admin, pod, "tty=0&command=sh&command=-c&command=cat;echo%20wrong>%262;exit%203")
        program.send_binary(b"\x00\xff\xfe\x80")
        eventually(lambda: program.recv() == b"\x01\xff\xfe\x80", "raw bytes come back")
        if program.subprotocol == "v5.channel.k8s.io":
            program.send_binary(b"\xff\x00")
            said, code = to_its_end(program)
            assert (said[2], code) == (b"wrong\n", 3)
        program.close()

        psql = terminal(admin, eventually(lambda: free(admin, "database"), "a database waits", 180), "tty=0")
        psql.send_binary(b"\x00select 40 + 2 as answer;\n\\q\n")
        said, code = to_its_end(psql)
        assert (b" answer \n" in said[1], b"42" in said[1], code) == (True, True, 0), said
        check_command(proxy, admin.token, pod, tmp_path)
    check_forwarding(namespace, admin.token)


def check_command(proxy: ProxyWorld, token: str, pod: str, folder: Path) -> None:
    """`dppctl ssh` with commands from a pipe."""
    clusters = {"current": "office", "clusters": {"office": {"url": proxy.url}}}
    write_files(folder / "config" / "dppctl", {"clusters.json": json.dumps(clusters)})
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "DPPCTL_TOKEN": token, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "ssh", pod],
        env={**os.environ, **own},
        input="command -v dpp && pwd\n(exit 5)\n",  # without `exit`: what ends is the pipe
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "/dppctl/work" in done.stdout


def check_forwarding(namespace: Namespace, token: str) -> None:
    """A Service without an address is reached through the API server: this one has the worker itself."""
    about = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "dppctl-proxy"}}
    selector = {"app.kubernetes.io/component": "worker"}
    namespace.apply({**about, "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}})
    notes: list[str] = []
    cluster = NamedCluster("office", "", "", namespace.name, "dppctl-proxy")
    with ProxyClient(cluster, token, notes.append) as client:
        for _ in range(2):
            with client.call("GET", "/health") as answer:
                assert answer.json() == {"state": "waiting", "run": None}
        with pytest.raises(ProxyRefusedError, match="no proxy of dppctl"):
            client.about()
    assert [note.partition(":")[0] for note in notes] == ["Reaching the cluster through its API server"]


def free(person: Person, kind: str) -> str:
    pods = person.get("/v1/pods")["pods"]
    return next((pod["name"] for pod in pods if (pod["kind"], pod["state"]) == (kind, "available")), "")


def terminal(person: Person, pod: str, query: str) -> WebSocket:
    url = f"{person.url.replace('http', 'ws', 1)}/v1/pods/{pod}/exec?{query}"
    header = [f"Authorization: Bearer {person.token}"]
    protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
    return create_connection(url, header=header, subprotocols=protocols, timeout=60)


def to_its_end(channel: WebSocket) -> tuple[dict[int, bytes], int]:
    """Return what came on each channel, and the exit code."""
    said = {1: b"", 2: b""}
    while True:
        message = channel.recv()
        if message[:1] == b"\x03":
            status = json.loads(message[1:])
            causes = status.get("details", {}).get("causes", [])
            return said, int(next((each["message"] for each in causes if each["reason"] == "ExitCode"), "0"))
        if message:
            said[message[0]] += message[1:]
