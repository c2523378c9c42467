"""The bot's loop on real repositories, told as stories: who pushes what, and what the ops repo then says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.git.command import Git
from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Values
from bot.settings import Settings
from bot.store.store import Store
from bot.store.tables import Deployment
from tests.support.forge import Forge


class Story:
    """An app, an ops repo, and a bot between them."""

    def __init__(self, forge: Forge, settings: Settings, git: Git, path: str = "") -> None:
        self.app, self.ops = forge.repository("ann/app"), forge.repository("ann/ops")
        self.ops.push({"README.md": ""}, message="start")
        app, ops = RepoPath("ann/app", path), RepoPath("ann/ops")
        self.targets = frozenset(Target(app, ops, name) for name in ("staging", "production"))
        settings.state_dir.mkdir(exist_ok=True)
        self.store = Store(settings.database_url)
        self.changes = 0
        self.loop = Loop(settings, self.targets, git, self.store, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def reconcile(self) -> None:
        """What a webhook, the clock or a start leads to."""
        self.loop.reconcile(["ann/app"])

    def runs(self, environment: str) -> tuple[str, str] | None:
        """The ref and commit that the ops repo holds for an environment."""
        if environment not in self.ops.git("ls-remote", "origin") + " ".join(self._files()):
            return None
        source = self.values(environment).source
        return source.ref, source.commit

    def values(self, environment: str) -> Values:
        """What the ops repo holds for an environment."""
        path = f"environments/{environment}/values.auto-updated.yaml"
        return Values.from_yaml(self.ops.file(path), path)

    def _files(self) -> list[str]:
        self.ops.pull()
        return self.ops.git("ls-files").splitlines()

    def deployments(self) -> list[tuple[str, str]]:
        """Environment and state of each, the oldest first."""
        return [(one.environment, one.state) for one in reversed(self.store.deployments.newest())]

    def last(self) -> Deployment:
        return self.store.deployments.newest()[0]


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(10)
        assert not thread.is_alive()
