"""The bot between git and the fake GitHub: who pushes what, and what GitHub then shows."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.github.notifier import Notifier
from bot.loop import Loop
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.store.tables import Deployment
from tests.support.forge import APP
from tests.support.github.fake import FakeGitHub
from tests.support.world import PRODUCTION, STAGING, World

PAGES = "https://dppctl.example.org"


class GitHubStory:
    """Has an app of ann's, her ops repo, a machine user who may write to both, and the bot with its token."""

    def __init__(
        self,
        github: FakeGitHub,
        folder: Path,
        targets: frozenset[Target] = frozenset({STAGING, PRODUCTION}),
        **settings: str,
    ) -> None:
        """Put them on GitHub. settings: beside the usual, by their names without DPPCTL_."""
        self.github, self.targets = github, targets
        self.app = github.repository("ann/app", robot="write")
        self.ops = github.repository("ann/ops", robot="write")
        self.ops.git.push({"README.md": ""}, message="start")
        github.user("robot", "robots-token")
        given = {"GITHUB_URL": github.url, "GITHUB_TOKEN": "robots-token", "PUBLIC_URL": PAGES, **settings}
        self.world = World(folder, github.forge, **given)
        self.restart()

    def restart(self, **settings: str) -> None:
        """Start another bot on the same store, as after a crash."""
        self.world.restart(**settings)
        self.settings, self.store, self.git = self.world.settings, self.world.store, self.world.git
        targets = self.targets
        self.loop = Loop(self.settings, targets, self.git, self.store, lambda: None)
        self.notifier = Notifier(self.settings, targets, self.store, self.git.credentials, lambda: True)

    def close(self) -> None:
        """End the bot, and close what it used."""
        self.loop.close()
        self.world.close()

    def push(self, **files: str) -> str:
        """Push ann's app, and have the bot take it to the ops repo; return the commit."""
        commit = self.app.git.push({**APP, **files})
        self.reconcile()
        return commit

    def reconcile(self) -> dict[str, str]:
        """Do what a webhook, the clock or a start leads to; return what failed."""
        results = self.loop.reconcile({"ann/app"})
        return {name: result.failure for name, result in results.items() if result.failure}

    def sync(self, phase: str, environment: str = "staging", **more: Any) -> None:
        """Report, as sync does, on the newest deployment of an environment."""
        one = self.store.deployments.newest(environment=environment)[0]
        about = {"app": one.app, "environment": environment, "ref": one.ref, "commit": one.commit}
        event = {"ops_commit": one.ops_commit, "phase": phase, "time": datetime.now(UTC), **about, **more}
        self.store.deployments.report(SyncEvent.model_validate(event))

    def succeed(self, environment: str = "staging", rows: int = 90_088, seconds: int = 41) -> None:
        self.sync("started", environment)
        self.sync("succeeded", environment, receipt=receipt(rows, seconds))

    def tell(self) -> None:
        """Do a round of the thread that talks to GitHub."""
        self.notifier.work(datetime.now(UTC))

    def last(self) -> Deployment:
        return self.store.deployments.newest()[0]


def receipt(rows: int, seconds: int) -> dict[str, Any]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pipeline = {"id": "./one", "status": "succeeded", "rows": rows}
    end = start + timedelta(seconds=seconds)
    return {"status": "succeeded", "pipelines": [pipeline], "started": start, "ended": end}


@contextmanager
def github_story(github: FakeGitHub, folder: Path, **settings: str) -> Iterator[GitHubStory]:
    """Open the story, and close it at the block's end."""
    story = GitHubStory(github, folder, **settings)
    try:
        yield story
    finally:
        story.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
