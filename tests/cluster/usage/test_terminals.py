"""Minutes of terminals: counted when one is closed, and one that uses up the last of them ends with a line."""

import time
from pathlib import Path

import pytest
from websocket import WebSocketBadStatusException, create_connection

from bot.usage_events import UsageEvent
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.exec_api import V5, ExecApi
from tests.support.stories.proxy_world import ProxyWorld
from tests.support.stories.usage_world import UsageWorld
from tests.support.waiting import eventually


def test_a_terminal_ends_with_a_line_when_the_minutes_are_used_up(tmp_path: Path) -> None:
    labels = {"app.kubernetes.io/component": "worker", "dppctl.io/state": "assigned", "dppctl.io/run": "uid-1"}
    run = {"metadata": {"name": "run-1", "uid": "uid-1"}, "spec": {"user": "token:ann"}}
    usage = UsageWorld(tmp_path, "default: {sshMinutes: 1, callsPerMinute: null}")
    usage.service.events.record([UsageEvent(user="token:ann", action="ssh", details={"seconds": 58})])
    with ExecApi(pods={"w": labels}, runs=[run]).serving() as api, usage.running():
        world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, api.url), "runs", "http://127.0.0.1:9")
        usage.attach(world)
        with world.running():
            ann = world.person()
            url = f"{world.url.replace('http', 'ws', 1)}/v1/pods/w/exec?tty=1"
            header = [f"{name}: {value}" for name, value in ann.headers.items()]
            began = time.monotonic()
            channel = create_connection(url, header=header, subprotocols=[V5], timeout=20)
            channel.send_binary(b"\x00ls")
            assert channel.recv() == b"\x01ls"
            assert channel.recv() == b"\x01\r\nlimit sshMinutes: your minutes of ssh in 24 hours are used up\r\n"
            assert channel.recv_data(True)[1][:2] == (1008).to_bytes(2, "big")
            assert 1 < time.monotonic() - began < 15
            with pytest.raises(WebSocketBadStatusException, match="402"):
                create_connection(url, header=header, subprotocols=[V5], timeout=20)
            wanted = [
                ("GET /v1/pods/{name}/exec", "asked"),
                ("ssh", "closed"),
                ("GET /v1/pods/{name}/exec", "402"),
            ]
            eventually(lambda: {*wanted} <= {each[1::2] for each in usage.events("token:ann")}, "it is in the log")
            assert {each[2] for each in usage.events("token:ann")} == {"w", ""}
    assert usage.service.allowance("token:ann").ssh_seconds == 0
    usage.service.close()
