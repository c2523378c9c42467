"""A namespace for runs with a publisher of a folder, and a proxy and a usage server beside it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.operator.publishing import PublisherAddress
from tests.support.environment import use_kubeconfig
from tests.support.publisher.process import PublisherProcess
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld
from tests.support.stories.usage_world import UsageWorld

URL = "https://data.example.org"
FREE = "default: {callsPerMinute: null, runs: null, pendingRuns: null, workerHours: null, publishedBytes: null}"


@dataclass(frozen=True)
class PublishingWorld:
    """All of it; the operator runs."""

    runs: OperatorWorld
    proxy: ProxyWorld
    usage: UsageWorld
    storage: Path
    publisher: PublisherProcess


@contextmanager
def publishing_world(folder: Path, *, has_storage: bool = True) -> Iterator[PublishingWorld]:
    """Have it in this context. `has_storage`: else the publisher only keeps what is relayed."""
    kubeconfig, storage = os.environ["DPPCTL_TEST_KUBECONFIG"], folder / "storage"
    for name in ("storage", "publisher", "world", "proxy", "usage"):
        (folder / name).mkdir()
    with ExitStack() as opened:
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        use_kubeconfig(patch, kubeconfig)
        patch.setattr("worker.server.Run", NamedRun)
        patch.setattr("worker.handler.WorkerHandler.log_message", lambda *_: None)
        patch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
        patch.setattr("cluster.operator.publishing.PUBLISH_LOOK_SECONDS", 0.05)
        patch.setattr("cluster.operator.publishing.PUBLISHER_AWAY_SECONDS", 0.2)
        patch.setattr("cluster.proxy.publications.PUBLISH_LOOK_SECONDS", 0.05)
        patch.setattr("bot.usage_events.EVENTS_RETRY_SECONDS", (0.05, 0.1))
        remote = {"DPPCTL_PUBLISHER_REMOTE": str(storage), "DPPCTL_STORAGE_URL": URL} if has_storage else {}
        publisher = PublisherProcess(folder / "publisher", remote)
        opened.callback(publisher.kill)
        address = PublisherAddress(publisher.url, folder / "publisher" / "token", has_storage)
        runs = opened.enter_context(closing(OperatorWorld(folder / "world", kubeconfig, free_port())))
        runs.publisher = address
        opened.enter_context(runs.operator())
        usage = UsageWorld(folder / "usage", FREE)
        opened.enter_context(usage.running())
        proxy = ProxyWorld(folder / "proxy", kubeconfig, runs.namespace, runs.url)
        usage.attach(proxy)
        proxy.options = replace(proxy.options, publisher=address, storage_url=URL if has_storage else "")
        opened.enter_context(proxy.running())
        usage.follow(proxy)
        yield PublishingWorld(runs, proxy, usage, storage, publisher)
