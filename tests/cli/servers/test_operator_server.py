"""What `dppctl operator` says when a setting is missing or wrong; it is run in tests/docs/test_cluster_commands.py."""

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import DppctlError
from cli.servers.operator_server import OperatorServer
from tests.support.kubeconfig import kubeconfig_of


def test_what_is_missing_or_wrong_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        with pytest.raises(DppctlError) as error:
            OperatorServer(tmp_path, threading.Event())
        return str(error.value)

    monkeypatch.setenv("KUBECONFIG", kubeconfig_of(tmp_path, "https://127.0.0.1:9"))
    assert said() == "DPPCTL_OPERATOR_TOKEN_FILE: is not set; name a file with it"
    for name in ("token", "key"):
        monkeypatch.setenv(
            f"DPPCTL_{ {'token': 'OPERATOR_TOKEN', 'key': 'POOL_KEY'}[name] }_FILE", f"{tmp_path}/{name}"
        )
        assert "No such file" in said()
        (tmp_path / name).write_text("\n")
        assert said().endswith(f"{name} is empty")
        (tmp_path / name).write_text("s3cret\n")
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("DPPCTL_OPERATOR_LISTEN", address)
        assert said().startswith(f"DPPCTL_OPERATOR_LISTEN: cannot listen on {address}: ")
    monkeypatch.setenv("DPPCTL_OPERATOR_LISTEN", "127.0.0.1:0")
    with closing(OperatorServer(tmp_path, threading.Event())):
        assert said().startswith(f"another `dppctl operator` uses {tmp_path}/state/operator; stop it")
    monkeypatch.setenv("DPPCTL_OPERATOR_DIR", str(tmp_path / "token"))
    assert said() == f"{tmp_path}/token: File exists; the operator keeps its files there (DPPCTL_OPERATOR_DIR)"
    monkeypatch.setenv("DPPCTL_OPERATOR_LISTEN", "nowhere")
    assert said().startswith("DPPCTL_OPERATOR_LISTEN: String should match pattern")
