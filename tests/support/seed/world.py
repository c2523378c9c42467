"""A public cluster on loopback whose workers run real pipelines: operator, proxy, publisher and storage server."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from cli.main import dppctl
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.operator.publishing import PublisherAddress
from cluster.proxy.application import ProxyAbout
from cluster.runs_api import LoginInfo
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.in_thread import serve_in_thread
from cluster.storage.server import StorageApp
from tests.support.environment import use_kubeconfig
from tests.support.publisher.process import PublisherProcess
from tests.support.stories.github import free_port
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld


@dataclass(frozen=True)
class PublicCluster:
    """Its proxy and its storage; a person's commands are typed in the test's process."""

    proxy: ProxyWorld
    storage_url: str

    def type(self, *arguments: str, stdin: str = "") -> str:
        """Return what dppctl says, its error's line too."""
        done = CliRunner().invoke(dppctl, arguments, input=stdin)
        if isinstance(done.exception, DppctlError):
            return f"{done.output}dppctl: {done.exception}\n"
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output


@contextmanager
def public_cluster(folder: Path, runtime: DppEnvironment) -> Iterator[PublicCluster]:
    """Have it in this context; its workers find dpp on the PATH, as those of a cluster do in their image."""
    kubeconfig, storage = os.environ["DPPCTL_TEST_KUBECONFIG"], folder / "storage"
    for name in ("storage", "publisher", "world", "proxy"):
        (folder / name).mkdir()
    with ExitStack() as opened:
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        use_kubeconfig(patch, kubeconfig)
        patch.setenv("PATH", f"{runtime.bin}{os.pathsep}{os.environ['PATH']}")
        patch.setattr("worker.handler.WorkerHandler.log_message", lambda *_: None)
        listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = StorageApp({"": FolderStorage(storage, has_pointers=True)})
        opened.callback(serve_in_thread(listening, app.respond))
        remote = {"DPPCTL_PUBLISHER_REMOTE": str(storage), "DPPCTL_STORAGE_URL": url}
        publisher = PublisherProcess(folder / "publisher", remote)
        opened.callback(publisher.kill)
        address = PublisherAddress(publisher.url, folder / "publisher" / "token", has_storage=True)
        runs = opened.enter_context(closing(OperatorWorld(folder / "world", kubeconfig, free_port(), waiting=1)))
        runs.publisher = address
        opened.enter_context(runs.operator())
        proxy = ProxyWorld(folder / "proxy", kubeconfig, runs.namespace, runs.url)
        about = ProxyAbout("Open Lab", "1", LoginInfo(public=True))
        proxy.options = replace(proxy.options, about=about, publisher=address, storage_url=url)
        opened.enter_context(proxy.running())
        yield PublicCluster(proxy, url)
