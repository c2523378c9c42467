"""What a run wrote on one cluster, published by another one: streamed from there to here to there.

The first one keeps it for an hour after the run's end; the second one gives a token for one upload, and shows all of
it or nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from cli.errors import InputError
from cli.remote.client import ProxyClient, connect
from cli.remote.clusters import NamedCluster, find_cluster
from cli.remote.errors import away
from cli.remote.limits import PUBLISH_ANSWER_SECONDS
from cli.remote.upload import ProgressBar, progress_bar
from cluster.errors import ClusterError
from cluster.runs_api import PublishedFiles, PublishGrant, PublishRequest

Published = tuple[str, str, str]  # kind, path in the workload, URL
_PIECE_BYTES = 2**18


@dataclass(frozen=True)
class Relay:
    """Publishes on another cluster what runs wrote on this one."""

    proxy: ProxyClient
    publish_to: str  # the cluster's name
    note: Callable[[str], None]

    def publish(self, run: str, worker: str, size: int) -> list[Published]:
        """Publish what a run wrote, so many bytes; return what it is, and where.

        Raises InputError, ProxyAwayError and ProxyRefusedError.
        """
        target = find_cluster(self.publish_to)
        with connect(target, self.note) as proxy:
            asked = PublishRequest(name=worker, bytes=max(1, size))
            grant = proxy.ask_to_publish(asked)
        with progress_bar(size, "Publishing") as bar, self._files(run) as source:
            found = _upload(target, grant, _pieces(source, bar, self.proxy.cluster), self.note)
        return [(item.kind, item.source, item.url) for item in found.items]

    def publish_again(self, run: str) -> list[Published]:
        """Publish what a run that has ended wrote. Raises ClusterError when it wrote nothing that is kept."""
        state = self.proxy.run(run)
        if not state.phase.has_ended:
            raise InputError(f"{run} has not ended; `dppctl logs {run}` follows it, and publishes nothing")
        kept = next((event for event in self._events(run) if event["event"] == "kept"), None)
        if kept is None or state.worker is None:
            raise ClusterError(f"{run} wrote nothing that is to be published elsewhere")
        return self.publish(run, state.worker.name, kept["bytes"])

    def _events(self, run: str) -> Sequence[dict[str, Any]]:
        import json

        with self.proxy.events(run, 0) as answer:
            return [json.loads(line) for line in answer.iter_lines() if line]

    def _files(self, run: str) -> Any:
        path = f"/v1/runs/{quote(run, safe='')}/publication"
        return self.proxy.call("GET", path, seconds=PUBLISH_ANSWER_SECONDS, stream=True)


def _upload(
    target: NamedCluster, grant: PublishGrant, content: Iterator[bytes], note: Callable[[str], None]
) -> PublishedFiles:
    with ProxyClient(target, grant.token, note) as proxy:
        return proxy.put_publication(grant.uid, content)


def _pieces(source: requests.Response, bar: ProgressBar, cluster: NamedCluster) -> Iterator[bytes]:
    """Yield what comes. Raises ProxyAwayError when it breaks off, so that nothing of it is published."""
    seen = 0
    try:
        for piece in source.iter_content(_PIECE_BYTES):
            seen += len(piece)
            bar.show(seen)
            yield piece
    except (requests.RequestException, OSError) as error:
        raise away(error, cluster.name, str(cluster)) from None
