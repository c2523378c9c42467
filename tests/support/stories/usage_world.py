"""The usage server on loopback, with a database of its own; it can go away and come back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from cluster.usage.app import UsageOptions, create_usage_app
from cluster.usage.follower import Follower
from cluster.usage.live_runs import LiveRuns
from cluster.usage.metrics import UsageMetrics
from cluster.usage.report import events_since
from cluster.usage.service import UsageService
from cluster.usage.tables import RunUsage
from tests.support.auth import START
from tests.support.stories.proxy_world import ProxyWorld

USAGE_TOKEN, PROXY_SERVICE_TOKEN = "what usage is shown", "what usage shows"


class UsageWorld:
    """Serves at `url`, the same one each time; `round` looks at the runs once."""

    def __init__(self, folder: Path, limits: str = "default: {callsPerMinute: null}") -> None:
        self.folder = folder
        self.limits = folder / "limits.yaml"
        self.limits.write_text(limits)
        self.database = f"sqlite:///{folder}/usage.sqlite"
        self.service = UsageService(self.database, self.limits)
        self._port = 0
        self._follower: Follower | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def attach(self, proxy: ProxyWorld) -> None:
        """Have a proxy, which does not run yet, ask it."""
        for name, text in (("usage-token", USAGE_TOKEN), ("service-token", PROXY_SERVICE_TOKEN)):
            (self.folder / name).write_text(text)
        proxy.options = replace(
            proxy.options,
            usage_url=self.url,
            usage_token_file=self.folder / "usage-token",
            service_token_file=self.folder / "service-token",
            spool=self.folder / "spool",
        )

    def follow(self, proxy: ProxyWorld) -> Follower:
        self._follower = Follower(self.service, self.live(proxy), UsageMetrics(self.service))
        return self._follower

    def live(self, proxy: ProxyWorld) -> LiveRuns:
        return LiveRuns(proxy.url, self.folder / "service-token")

    def _refresh(self) -> bool:
        return self._follower is not None and self._follower.refresh()

    def round(self) -> None:
        assert self._follower
        self._follower.round()

    def set_limits(self, text: str) -> None:
        """Change the limits, which hold at once."""
        self.limits.write_text(text)
        self.service.limits.read_again()

    def usage(self, run: str) -> RunUsage:
        with self.service.database.read() as session:
            return session.query(RunUsage).filter_by(run=run).one()

    def events(self, user: str | None = None) -> list[tuple[Any, ...]]:
        """Return user, action, subject and outcome of what is logged, in the order of its time."""
        names = ("user", "action", "subject", "outcome")
        return [tuple(each[name] for name in names) for each in events_since(self.service, user, START)]

    @contextmanager
    def running(self) -> Iterator[BaseWSGIServer]:
        """Have it answer in this context."""
        app = create_usage_app(UsageOptions(USAGE_TOKEN), self.service, refresh=self._refresh)
        mounted = DispatcherMiddleware(_not_found, {"/usage": app})
        server = make_server("127.0.0.1", self._port, mounted, threaded=True, request_handler=_Silent)
        self._port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def _not_found(_: Any, start_response: Any) -> list[bytes]:
    start_response("404 NOT FOUND", [])
    return [b""]
