"""`dppctl operator` and `dppctl proxy` in processes of their own: for those who kill them, or measure them."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from cluster.proxy.tokens import make_token, write_tokens
from tests.support.environment import REPOSITORY
from tests.support.stories.operator_world import KEY, TOKEN, RunsNamespace


class ServerProcess:
    """A server that runs from its making until `kill` or `stop`; its log is a file in its folder."""

    def __init__(self, command: str, folder: Path, settings: Mapping[str, str]) -> None:
        """Start it, and wait until it is up."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
        log = folder / f"{command}.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", command],
                cwd=folder,
                env={**clean, "PYTHONPATH": str(REPOSITORY), **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout
        said = self._process.stdout.readline()
        found = re.search(r"is up: (http://[\d.:]+)", said)
        if not found:
            self.kill()
            raise AssertionError(f"dppctl {command} says {said!r}; its log is {log}")
        self.url = found[1]

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def memory(self) -> float:
        """Return what it has in memory, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def metric(self, name: str) -> float:
        """Return a figure without labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            found = re.search(rf"^{name} ([\d.e+-]+)$", answer.read().decode(), re.MULTILINE)
        assert found, name
        return float(found[1])

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as Kubernetes does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def operator_process(world: RunsNamespace, kubeconfig: str) -> ServerProcess:
    """Start an operator for the namespace of a world, on the world's files."""
    folder = world.workloads.parent
    for name, content in {"token": TOKEN.encode(), "key": KEY}.items():
        (folder / name).write_bytes(content)
    settings = {
        "KUBECONFIG": kubeconfig,
        "DPPCTL_RUNS_NAMESPACE": world.namespace,
        "DPPCTL_OPERATOR_DIR": str(folder),
        "DPPCTL_OPERATOR_LISTEN": "127.0.0.1:0",
        "DPPCTL_OPERATOR_TOKEN_FILE": str(folder / "token"),
        "DPPCTL_POOL_KEY_FILE": str(folder / "key"),
    }
    return ServerProcess("operator", folder, settings)


def proxy_process(world: RunsNamespace, kubeconfig: str, operator: ServerProcess) -> tuple[ServerProcess, str]:
    """Start a proxy before an operator; return it, and the token of somebody who may see all runs."""
    folder = world.workloads.parent
    token, record = make_token("a test", "ann", ("read", "run", "admin"))
    write_tokens(folder / "tokens.json", [record])
    settings = {
        "KUBECONFIG": kubeconfig,
        "DPPCTL_RUNS_NAMESPACE": world.namespace,
        "DPPCTL_OPERATOR_URL": operator.url,
        "DPPCTL_OPERATOR_TOKEN_FILE": str(folder / "token"),
        "DPPCTL_PROXY_LISTEN": "127.0.0.1:0",
        "DPPCTL_PROXY_TOKENS_FILE": str(folder / "tokens.json"),
    }
    return ServerProcess("proxy", folder, settings), token
