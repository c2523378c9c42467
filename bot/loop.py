"""The one thread that reconciles: woken for a repository, and by the clock (and at the start) for all of them.

Serial on purpose: there is one writer for each ops repo, and what piles up while it works is handled together.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bot.app_config import CONFIG_FILE, AppConfig, parse_app_config
from bot.errors import BotError
from bot.git import Git
from bot.limits import MAX_CONFIG_BYTES, MAX_SPEC_BYTES
from bot.mirror import Mirror
from bot.names import RepoPath, short
from bot.ops_repo import OpsRepo
from bot.reconcile import Choice, RefState, Refusal, Update, choose, plan
from bot.registration import Target
from bot.settings import Settings
from bot.specs import is_spec, parse_specs
from bot.store import Store

_log = logging.getLogger("dppctl.bot")


class Loop:
    """Keeps the ops repos at what the registered apps' repos say."""

    def __init__(
        self,
        settings: Settings,
        targets: frozenset[Target],
        git: Git,
        store: Store,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called after each push to an ops repo."""
        self._targets = targets
        self._store = store
        self._on_change = on_change
        self._resync_seconds = settings.resync_seconds

        def folder(kind: str, repository: str) -> Path:
            return settings.state_dir / kind / RepoPath(repository).slug

        self._apps = {
            name: Mirror(git, settings.repository_url(name), folder("apps", name))
            for name in {target.app.repository for target in targets}
        }
        self._ops = {
            name: OpsRepo(git, settings.repository_url(name), folder("ops", name))
            for name in {target.ops.repository for target in targets}
        }
        self._waiting = set(self._apps)
        self._wake = threading.Condition()
        self._stopping = False

    def wake(self, repository: str) -> None:
        """Something changed there; look soon. Any number of calls while the loop works become one look."""
        with self._wake:
            self._waiting.add(repository)
            self._wake.notify()

    def stop(self) -> None:
        """`run` returns after the reconcile that it is at."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def run(self) -> None:
        """Until `stop`. What fails is logged and looked at again with the next wake or by the clock."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._stopping, self._resync_seconds)
                if self._stopping:
                    return
                repositories, self._waiting = self._waiting or set(self._apps), set()
            self.reconcile(repositories)

    def reconcile(self, repositories: Iterable[str]) -> None:
        """Bring the ops repos to what the apps in these repositories say now."""
        apps = sorted({target.app for target in self._targets if target.app.repository in set(repositories)})
        broken = self._refresh(apps)
        updates: list[Update] = []
        for app in apps:
            if app.repository not in broken:
                try:
                    updates += self._updates(app, broken)
                except (BotError, SQLAlchemyError) as error:
                    _log.error("reconcile failed app=%s error=%s", app, error)
        for name in sorted({update.target.ops.repository for update in updates}):
            mine = [update for update in updates if update.target.ops.repository == name]
            try:
                self._write(name, mine)
            except (BotError, SQLAlchemyError) as error:
                _log.error("ops repo not written ops=%s error=%s", name, error)

    def _refresh(self, apps: Iterable[RepoPath]) -> set[str]:
        """Look at each repository once. The ones that did not answer are returned."""
        names = {app.repository for app in apps}
        ops = {target.ops.repository for target in self._targets if target.app.repository in names}
        broken = set()
        refreshes = [(name, self._apps[name].refresh) for name in names]
        refreshes += [(name, self._ops[name].refresh) for name in ops]
        for name, refresh in refreshes:
            try:
                refresh()
            except BotError as error:
                broken.add(name)
                _log.error("repository not read repository=%s error=%s", name, error)
        return broken

    def _updates(self, app: RepoPath, broken: set[str]) -> list[Update]:
        mirror, updates = self._apps[app.repository], []
        for outcome in choose(app, self._targets, _states(mirror, app)):
            if isinstance(outcome, Choice) and outcome.target.ops.repository in broken:
                continue
            result = self._plan(mirror, outcome) if isinstance(outcome, Choice) else outcome
            if isinstance(result, Update):
                updates.append(result)
            elif result and self._store.record_refusal(result):
                fields = (result.app, result.environment, short(result.ref.name), result.message)
                _log.warning("refused app=%s environment=%s ref=%s reason=%s", *fields)
        return updates

    def _plan(self, mirror: Mirror, choice: Choice) -> Update | Refusal | None:
        target, ref = choice.target, choice.ref
        present = self._ops[target.ops.repository].present(target)
        try:
            specs = parse_specs(mirror.read_below(ref.commit, target.app.path, is_spec, MAX_SPEC_BYTES))
        except BotError as error:
            return Refusal(target.app, target.environment, ref, str(error))
        return plan(choice, specs, present)

    def _write(self, name: str, updates: list[Update]) -> None:
        commits = self._ops[name].write(updates)
        for update in updates:
            if ops_commit := commits.get(update.target):
                self._store.record_update(update, ops_commit)
                fields = (update.target.app, update.target.environment, update.values.source.commit, ops_commit)
                _log.info("deploying app=%s environment=%s commit=%s ops_commit=%s", *fields)
        if commits:
            self._on_change()


def _states(mirror: Mirror, app: RepoPath) -> list[RefState]:
    """Each branch and tag with its `.dppctl.yaml`, parsed once for refs at the same content."""
    refs, file = mirror.refs(), app.file(CONFIG_FILE)
    contents = mirror.read({(ref.commit, file) for ref in refs}, MAX_CONFIG_BYTES)
    parsed = {content: _parse(content, file) for content in set(contents.values())}
    return [RefState(ref, parsed[contents[ref.commit, file]]) for ref in refs]


def _parse(content: bytes | None, where: str) -> AppConfig | str | None:
    if content is None:
        return None
    try:
        return parse_app_config(content.decode(), where)
    except UnicodeDecodeError:
        return f"{where}: not UTF-8"
    except BotError as error:
        return str(error)
