"""Terminals: what passes between a person and a program in a pod, and whose pods they are."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websocket import WebSocket, WebSocketBadStatusException, create_connection

from cluster.proxy.exec import DATABASE_SHELL
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.exec_api import V4, V5, ExecApi
from tests.support.stories.proxy_world import Person, ProxyWorld
from tests.support.waiting import eventually

RUN, COMPONENT = "dppctl.io/run", "app.kubernetes.io/component"


@pytest.fixture
def api() -> Iterator[ExecApi]:
    labels = {COMPONENT: "worker", "dppctl.io/state": "assigned"}
    pods = {
        "w": {**labels, RUN: "uid-1"},
        "gone": {**labels, RUN: "uid-1"},
        "free": {**labels, "dppctl.io/state": "available"},
        "db": {**labels, COMPONENT: "database", RUN: "uid-1"},
        "other": {COMPONENT: "bot", RUN: "uid-1"},
    }
    run = {"metadata": {"name": "run-1", "uid": "uid-1"}, "spec": {"user": "token:ann"}}
    with ExecApi(pods=pods, runs=[run]).serving() as made:
        yield made


@pytest.fixture
def world(api: ExecApi, tmp_path: Path) -> Iterator[ProxyWorld]:
    made = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, api.url), "runs", "http://127.0.0.1:9")
    with made.running():
        yield made


def terminal(person: Person, pod: str, query: str = "tty=1", protocols: tuple[str, ...] = (V5, V4)) -> WebSocket:
    url = f"{person.url.replace('http', 'ws', 1)}/v1/pods/{pod}/exec?{query}"
    header = [f"{name}: {value}" for name, value in person.headers.items()]
    return create_connection(url, header=header, subprotocols=protocols or None, timeout=20)


def test_bytes_pass_through_as_they_are_both_ways(api: ExecApi, world: ProxyWorld) -> None:
    channel = terminal(world.person(), "w", "tty=1&command=dpp&command=run")
    assert channel.subprotocol == V5
    for sent, back in (
        (b"\x00\xff\xfe\x80 ls\r", b"\x01\xff\xfe\x80 ls\r"),
        (b'\x04{"Width":80,"Height":24}', b'\x02{"Width":80,"Height":24}'),
        (b"\xff\x00", b"\x01\x00"),
    ):
        channel.send_binary(sent)
        assert channel.recv() == back
    channel.send_binary(b"\x00exit 7")
    assert b'"ExitCode", "message": "7"' in channel.recv()
    assert channel.recv_data(True)[1][:2] == (1000).to_bytes(2, "big")
    words = [("command", "dpp"), ("command", "run")]
    asked = [("container", "worker"), ("stdin", "1"), ("stdout", "1"), ("stderr", "0"), ("tty", "1"), *words]
    assert api.queries == [asked]
    assert world.tokens.read_text() not in str(api.headers)
    assert "Bearer dppctl_" not in str(api.headers)  # the person's token stays with the proxy


def test_v4_is_spoken_where_the_cluster_knows_no_other_and_cannot_end_stdin(api: ExecApi, world: ProxyWorld) -> None:
    api.protocols = (V4,)
    channel = terminal(world.person(), "w", "tty=0")
    assert channel.subprotocol == V4
    channel.send_binary(b"\xff\x00")
    channel.send_binary(b"\x00a")
    assert channel.recv() == b"\x01a"
    assert api.got == [b"\x00a"]
    query = dict(api.queries[0])
    assert (query["stderr"], query["tty"]) == ("1", "0")
    assert "bash" in query["command"]  # the last word of a shell in the workload's folder
    channel.close()
    eventually(lambda: api.ended == 1, "the program's connection is closed with the person's")


@pytest.mark.parametrize("sent", [b"\x01out", b"\x03{}", b"\x05", b""])
def test_nothing_but_input_sizes_and_ends_is_taken_from_a_person(api: ExecApi, world: ProxyWorld, sent: bytes) -> None:
    channel = terminal(world.person(), "w")
    channel.send_binary(sent)
    assert channel.recv_data(True)[1][:2] == (1008).to_bytes(2, "big")
    assert api.got == []
    eventually(lambda: api.ended == 1, "the program's connection is closed")


@pytest.mark.parametrize(
    ("user", "scopes", "pod", "query", "status", "said"),
    [
        ("ann", ("read", "run"), "w", "", 403, "has no scope ssh"),
        ("ben", ("ssh",), "w", "", 404, "there is no pod w of yours"),
        ("ann", ("ssh",), "other", "", 404, "there is no pod other of yours"),
        ("ann", ("ssh",), "none", "", 404, "there is no pod none of yours"),
        ("ann", ("ssh",), "free", "", 403, "this needs the scope admin"),
        ("ann", ("ssh",), "gone", "", 409, "the pod does not run"),
        ("ann", ("ssh",), "w", f"command={'a' * 7000}", 400, "command: at most 6,000 characters"),
        ("ann", ("ssh",), "w", "command=a%00b", 400, "none of them zero"),
        ("ann", ("ssh",), "..%2f..%2fsecrets", "", 404, "there is no GET"),
    ],
)
def test_what_is_no_pod_of_ones_own_is_refused_before_the_cluster_is_asked(
    api: ExecApi, world: ProxyWorld, user: str, scopes: tuple[str, ...], pod: str, query: str, status: int, said: str
) -> None:
    with pytest.raises(WebSocketBadStatusException) as error:
        terminal(world.person(user, scopes), pod, query)
    assert error.value.status_code == status
    assert said in error.value.resp_body.decode()
    assert len(api.queries) == (1 if pod == "gone" else 0)


def test_an_admin_has_terminals_everywhere_and_a_database_has_psql(api: ExecApi, world: ProxyWorld) -> None:
    admin = world.person("root", ("ssh", "admin"))
    terminal(admin, "free").close()
    terminal(admin, "db").close()
    assert "psql" in dict(api.queries[1])["command"]


def test_what_is_no_websocket_or_speaks_another_protocol_is_told(world: ProxyWorld) -> None:
    ann = world.person()
    assert ann.refused("GET", "/v1/pods/w/exec")[0] == 426
    with pytest.raises(WebSocketBadStatusException, match="400"):
        terminal(ann, "w", protocols=("channel.k8s.io",))


def test_terminals_end_with_the_proxy(api: ExecApi, tmp_path: Path) -> None:
    world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, api.url), "runs", "http://127.0.0.1:9")
    with world.running():
        channel = terminal(world.person(), "w")
    assert channel.recv_data(True)[1][:2] == (1001).to_bytes(2, "big")


def test_a_terminal_ends_soon_after_its_token_was_revoked(
    api: ExecApi, world: ProxyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.proxy.authentication.TOKEN_CHECK_SECONDS", 0.05)
    ann = world.person()
    channel = terminal(ann, "w")
    channel.send_binary(b"\x00a")
    assert channel.recv() == b"\x01a"
    world.revoke(ann)
    assert channel.recv_data(True)[1] == (1008).to_bytes(2, "big") + b"the token does not hold any more"
    eventually(lambda: api.ended == 1, "the program's connection is closed")


@pytest.mark.parametrize("last", ["\nexit\n", "quit\n", "\\q\n"])
def test_a_databases_shell_ends_when_it_is_told_to_although_its_input_stays_open(last: str, tmp_path: Path) -> None:
    psql = tmp_path / "psql"
    psql.write_text("#!/bin/sh\ncat\nexit 3\n")
    psql.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    pipe = subprocess.PIPE
    with subprocess.Popen(["sh", "-c", DATABASE_SHELL], env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as shell:
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write(f"select '\\a %s'\n  , 2;\n{last}".encode())
        shell.stdin.flush()
        assert shell.stdout.read().rstrip() == b"select '\\a %s'\n  , 2;"
        assert shell.wait() == 3
