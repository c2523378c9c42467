"""The bot's loop on real repositories: who pushes what, and what the ops repo then says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Values
from bot.reconcile.result import Result
from bot.store.tables import Deployment
from tests.support.world import OPS, World


class Story:
    """Has an app, an ops repo, and a bot between them."""

    def __init__(self, world: World, path: str = "") -> None:
        """Put a loop into the world. path: the app's, in its repository."""
        self.app, self.ops, self.store = world.app, world.ops, world.store
        self.targets = frozenset(Target(RepoPath("ann/app", path), OPS, name) for name in ("staging", "production"))
        self.changes = 0
        self.loop = Loop(world.settings, self.targets, world.git, self.store, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def reconcile(self) -> Result:
        """Do what a webhook, the clock or a start leads to."""
        return self.loop.reconcile({"ann/app"})["ann/app"]

    def runs(self, environment: str) -> tuple[str, str] | None:
        """Return the ref and commit that the ops repo holds for an environment."""
        if environment not in self.ops.git("ls-remote", "origin") + " ".join(self._files()):
            return None
        source = self.values(environment).source
        return source.ref, source.commit

    def values(self, environment: str) -> Values:
        """Return what the ops repo holds for an environment."""
        path = f"environments/{environment}/values.auto-updated.yaml"
        return Values.from_yaml(self.ops.file(path), path)

    def _files(self) -> list[str]:
        self.ops.pull()
        return self.ops.git("ls-files").splitlines()

    def deployments(self) -> list[tuple[str, str]]:
        """Return environment and state of each, the oldest first."""
        return [(found.environment, found.state) for found in reversed(self.store.deployments.newest())]

    def last(self) -> Deployment:
        """Return the newest deployment."""
        return self.store.deployments.newest()[0]


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    """Run the loop in a thread until the block ends."""
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(10)
        assert not thread.is_alive()
