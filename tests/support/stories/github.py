"""The bot between git and the fake GitHub, told as stories: who pushes what, and what GitHub then shows."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.git.command import Git
from bot.github.notifier import Notifier
from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.settings import load_settings
from bot.store.store import Store
from bot.store.tables import Deployment
from tests.support.forge import APP
from tests.support.github.fake import FakeGitHub

PAGES = "https://dppctl.example.org"


class GitHubStory:
    """An app of ann's, her ops repo, a machine user who may write to both, and the bot with its token."""

    def __init__(self, github: FakeGitHub, config: Path, **settings: str) -> None:
        self.github = github
        self.app = github.repository("ann/app", robot="write")
        self.ops = github.repository("ann/ops", robot="write")
        self.ops.git.push({"README.md": ""}, message="start")
        github.user("robot", "robots-token")
        self._config = config
        self._given = {
            "DPPCTL_GITHUB_URL": github.url, "DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_GITHUB_TOKEN": "robots-token",
            "DPPCTL_PUBLIC_URL": PAGES, **{f"DPPCTL_{name}": value for name, value in settings.items()},
        }  # fmt: skip
        config.mkdir(exist_ok=True)
        self.restart()

    def restart(self, **settings: str) -> None:
        """Another bot on the same store, as after a crash."""
        self._given |= {f"DPPCTL_{name}": value for name, value in settings.items()}
        self.settings = load_settings(self._config, self._given)
        self.settings.state_dir.mkdir(exist_ok=True)
        self.store = Store(self.settings.database_url)
        self.git = Git(self.settings)
        app, ops = RepoPath("ann/app"), RepoPath("ann/ops")
        targets = frozenset(Target(app, ops, name) for name in ("staging", "production"))
        self.loop = Loop(self.settings, targets, self.git, self.store, lambda: None)
        self.teller = Notifier(self.settings, targets, self.store, self.git.credentials, lambda: True)

    def close(self) -> None:
        self.loop.close()
        self.git.close()
        self.store.close()

    def push(self, **files: str) -> str:
        """Ann pushes her app, and the bot takes it to the ops repo; the commit."""
        commit = self.app.git.push({**APP, **files})
        self.reconcile()
        return commit

    def reconcile(self) -> dict[str, str]:
        """What a webhook, the clock or a start leads to; what failed."""
        self.loop.reconcile(["ann/app"])
        return self.loop._reconciler.failed

    def sync(self, phase: str, environment: str = "staging", **more: Any) -> None:
        """Sync reports on the newest deployment of an environment."""
        one = self.store.deployments.newest(environment=environment)[0]
        about = {"app": one.app, "environment": environment, "ref": one.ref, "commit": one.commit}
        event = {"ops_commit": one.ops_commit, "phase": phase, "time": datetime.now(UTC), **about, **more}
        self.store.deployments.report(SyncEvent.model_validate(event))

    def succeed(self, environment: str = "staging", rows: int = 90_088, seconds: int = 41) -> None:
        self.sync("started", environment)
        self.sync("succeeded", environment, receipt=receipt(rows, seconds))

    def tell(self) -> None:
        """A round of the thread that talks to GitHub."""
        self.teller.work()

    def last(self) -> Deployment:
        return self.store.deployments.newest()[0]


def receipt(rows: int, seconds: int) -> dict[str, Any]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pipeline = {"id": "./one", "status": "succeeded", "rows": rows}
    end = start + timedelta(seconds=seconds)
    return {"status": "succeeded", "pipelines": [pipeline], "started": start, "ended": end}


@contextmanager
def github_story(github: FakeGitHub, config: Path, **settings: str) -> Iterator[GitHubStory]:
    story = GitHubStory(github, config, **settings)
    try:
        yield story
    finally:
        story.close()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
