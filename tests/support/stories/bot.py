"""The bot's loop on real repositories: who pushes what, and what the ops repo then says."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from bot.loop import Loop
from bot.model.acts import Act
from bot.model.names import RepoPath
from bot.model.receipt import Receipt
from bot.model.registration import Target
from bot.model.reports import Phase, SyncEvent
from bot.model.values import Values
from bot.reconcile.result import Result
from bot.store.tables import Deployment, DeployRequest
from tests.support.world import OPS, World


class Story:
    """Has an app, an ops repo, and a bot between them."""

    def __init__(self, world: World, path: str = "", environments: Sequence[str] = ("staging", "production")) -> None:
        """Put a loop into the world. path: the app's, in its repository; environments: those of apps.yaml."""
        self.world, self.app, self.ops, self.store = world, world.app, world.ops, world.store
        self.targets = frozenset(Target(RepoPath("ann/app", path), OPS, name) for name in environments)
        self.changes = 0
        self.loop = Loop(world.settings, self.targets, world.git, self.store, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def reconcile(self) -> Result:
        """Do what a webhook, the clock or a start leads to."""
        return self.loop.reconcile({"ann/app"})["ann/app"]

    def runs(self, environment: str) -> tuple[str, str] | None:
        """Return the ref and commit that the ops repo holds for an environment."""
        if environment not in " ".join(self._files()):
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

    def succeed(self, *, kept: Sequence[int] = ()) -> int:
        """Have sync report that the newest deployment succeeded, and that it keeps these too; return its number."""
        last = self.last()
        keeps = [found.ops_commit for number in kept if (found := self.store.deployments.get(number))]
        self.report("succeeded", kept=tuple(ops_commit for ops_commit in [*keeps, last.ops_commit] if ops_commit))
        return last.id

    def report(
        self,
        phase: Phase,
        message: str = "",
        kept: tuple[str, ...] | None = None,
        receipt: Receipt | None = None,
        environment: str | None = None,
    ) -> None:
        """Have sync report about the newest deployment, or about the newest of an environment that it was told of."""
        last = self.last()
        if environment:
            newest = self.store.deployments.newest(environment=environment)
            last = next(found for found in newest if found.ops_commit)
        assert last.ops_commit
        event = SyncEvent(
            ops_commit=last.ops_commit,
            app=last.app,
            environment=last.environment,
            ref=last.ref,
            commit=last.commit,
            phase=phase,
            time=datetime.now(UTC),
            message=message,
            kept=kept,
            receipt=receipt,
        )
        self.store.deployments.report(event)

    def ask(self, act: Act, environment: str = "staging", reason: str = "", **given: Any) -> DeployRequest:
        """Ask the bot for an act, as ann; return the request with its answer."""
        by = {"by": "github:1", "login": "ann"}
        number = self.store.requests.add("ann/app", environment, act, **by, reason=reason, **given)
        self.loop.take()
        found = self.store.requests.get(number)
        assert found
        return found

    def holds(self) -> dict[str, str]:
        """Return why environments are held, by their names."""
        return {hold.environment: hold.reason for hold in self.store.holds.all()}

    def trailers(self) -> dict[str, str]:
        """Return the trailers of the newest ops commit, by their names without Dppctl-."""
        self.ops.pull()
        lines = self.ops.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
        return {name.removeprefix("Dppctl-"): value for name, _, value in (line.partition(": ") for line in lines)}

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
