"""Reconcile: bring the ops repos to what the apps' repositories say. `reconcile` decides how."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bot.errors import DppctlError
from bot.git.command import GitError
from bot.git.mirror import Mirror
from bot.limits import REFRESHES
from bot.logs import get_logger
from bot.model.decisions import Choice, Refusal, Same, Skip, Update
from bot.model.names import RepoPath, short
from bot.model.registration import Target
from bot.reconcile.decide import asks_to_skip
from bot.reconcile.images import ImageResolver, Waiting
from bot.reconcile.observe import AppState
from bot.reconcile.ops_repo import OpsRepo
from bot.store.store import Store
from bot.store.tables import Hold

_log = get_logger("dppctl.bot")

Texts = dict[Target, str | None]


class Reconciler:
    """Called with repositories; `failed` and `notes` then tell, by repository, how it went the last time."""

    def __init__(
        self,
        targets: frozenset[Target],
        apps: Mapping[str, Mirror],
        ops: Mapping[str, OpsRepo],
        store: Store,
        imaging: ImageResolver,
        on_change: Callable[[], None],
    ) -> None:
        self._targets = targets
        self._apps = apps
        self._ops = ops
        self._store = store
        self._imaging = imaging
        self._on_change = on_change
        self._settled: dict[RepoPath, object] = {}  # what an app looked like when there was nothing to do
        self.failed: dict[str, str] = {}  # git or the network; to be tried again
        self.notes: dict[str, list[str]] = {}  # why nothing was deployed, and other things to tell
        self.commits = 0
        self._unread: set[str] = set()
        self._noted: dict[str, str | None] = {}  # by ops repo, the commit up to which all of ours have a deployment
        self.stopping = False

    def __call__(self, repositories: set[str]) -> None:
        """Look at these repositories, and write what is to be written."""
        apps = sorted({target.app for target in self._targets if target.app.repository in repositories})
        for name in repositories:
            self.failed.pop(name, None)
            self.notes[name] = []
        texts = self._refresh(apps)
        holds = {(one.app, one.environment): one for one in self._store.holds.all()}
        updates: list[Update] = []
        for app in apps:
            if app.repository not in self._unread and not self.stopping:
                try:
                    updates += self._updates(app, texts, holds)
                except DppctlError as error:
                    self._fail(app.repository, str(error))
        for name in sorted({update.target.ops.repository for update in updates}):
            if not self.stopping:
                self._write(name, [update for update in updates if update.target.ops.repository == name])

    def _refresh(self, apps: list[RepoPath]) -> Texts:
        """Look at each repository once; what the ops repos hold for these apps."""
        names = {app.repository for app in apps}
        targets = [target for target in self._targets if target.app in apps]
        ops = {target.ops.repository for target in targets}
        refreshes = {("app", name): self._apps[name].refresh for name in names}
        refreshes |= {("ops", name): self._ops[name].refresh for name in ops}
        with ThreadPoolExecutor(REFRESHES) as threads:
            errors = dict(zip(refreshes, threads.map(_error, refreshes.values()), strict=True))
        texts: Texts = {}
        for name in ops:
            mine = [target for target in targets if target.ops.repository == name]
            error = errors["ops", name] or _error(lambda: texts.update(self._read(name, mine)))  # noqa: B023
            for target in mine if error else ():
                self._fail(target.app.repository, f"{name}: {error}")
        self._unread = {name for name in names if errors["app", name]}
        for name in self._unread:
            self._fail(name, f"{name}: {errors['app', name]}")
        return texts

    def _read(self, name: str, targets: Sequence[Target]) -> Texts:
        """What an ops repo holds; commits of ours that a crash kept from being noted are noted first."""
        ops = self._ops[name]
        if ops.head != self._noted.get(name):
            written = {one.ops_commit: one for one in ops.written()}
            known = {(str(target.app), target.environment) for target in self._targets}
            for ops_commit in reversed(self._store.deployments.unrecorded(list(written))):
                one = written[ops_commit]
                if (one.app, one.environment) in known:
                    self._store.deployments.record_commit(ops_commit, one.app, one.environment, one.ref, one.commit)
            self._noted[name] = ops.head
        return ops.texts(targets)

    def write(self, name: str, updates: list[Update]) -> dict[Target, str | DppctlError]:
        """Commit updates to an ops repo and remember them. Raises GitError when it cannot be reached."""
        results = self._ops[name].write(updates)
        for update in updates:
            ops_commit = results.get(update.target)
            if isinstance(ops_commit, str):
                self.commits += 1
                self._store.deployments.record(update, ops_commit)
                _log.info(
                    "deploying",
                    app=update.target.app,
                    environment=update.target.environment,
                    commit=update.values.source.commit,
                    ops_commit=ops_commit,
                )
        self._noted[name] = self._ops[name].head
        if results:
            self._on_change()
        return results

    def _write(self, name: str, updates: list[Update]) -> None:
        try:
            results = self.write(name, updates)
        except GitError as error:
            for update in updates:
                self._fail(update.target.app.repository, f"{name}: {error}")
            return
        for update in updates:
            result = results.get(update.target)
            if isinstance(result, DppctlError):
                self._refuse(Refusal(update.target.app, update.target.environment, update.ref, str(result)))

    def _updates(self, app: RepoPath, texts: Texts, holds: Mapping[tuple[str, str], Hold]) -> list[Update]:
        mirror = self._apps[app.repository]
        mine = {target: text for target, text in texts.items() if target.app == app}
        held = [(one.environment, one.until_ref, one.until_tree) for one in holds.values() if one.app == str(app)]
        looks_like = (mirror.seen, mine, held)
        if self._settled.get(app) == looks_like:
            return []
        look = AppState(app, mirror, self._targets, self._store)
        due = self._due(look, texts, holds)
        found = [self._with_image(look, update) for update in due]
        self._imaging.keep(look, due)
        is_known = all(target in texts for target in self._targets if target.app == app)
        if not any(found) and is_known and not self.stopping:
            self._settled[app] = looks_like
        return [one for one in found if isinstance(one, Update)]

    def _due(self, look: AppState, texts: Texts, holds: Mapping[tuple[str, str], Hold]) -> list[Update]:
        """What the app's environments should run and do not."""
        due = []
        for choice in look.choices():
            if isinstance(choice, Refusal):
                self._refuse(choice)
            elif choice.target in texts:
                result = look.plan(choice, texts[choice.target], in_image=self._imaging.uses_image)
                if isinstance(result, Refusal):
                    self._refuse(result)
                elif isinstance(result, Same):
                    self.notes[look.app.repository].append(f"{choice.target.environment}: {result.message}")
                hold = holds.get((str(look.app), choice.target.environment))
                # Before the question whether there is something to do: a hold can be over without.
                is_held = hold is not None and self._is_held(look, choice, hold)
                if isinstance(result, Update) and not self._is_skipped(look, choice, hold if is_held else None):
                    due.append(result)
        return due

    def _with_image(self, look: AppState, update: Update) -> Update | Waiting | None:
        """None: it is refused."""
        try:
            ready = self._imaging.with_image(look, update)
        except GitError:
            raise
        except DppctlError as error:
            self._refuse(Refusal(look.app, update.target.environment, update.ref, str(error)))
            return None
        if isinstance(ready, Waiting):
            self.notes[look.app.repository].append(f"{update.target.environment}: {ready.message}")
            if ready.retry:
                self._fail(look.app.repository, ready.message)
        return ready

    def _is_held(self, look: AppState, choice: Choice, hold: Hold) -> bool:
        if hold.until_ref is None or (hold.until_ref, hold.until_tree) == (choice.ref.name, look.tree(choice.ref)):
            return True
        self._store.holds.release(hold.app, hold.environment)
        return False

    def _is_skipped(self, look: AppState, choice: Choice, hold: Hold | None) -> bool:
        """Is something in the way of an update that would be due?"""
        if hold:
            message = f"held: {hold.reason}"
        elif words := asks_to_skip(look.mirror.message(choice.ref.commit)):
            message = f"its commit message says {words}"
        else:
            return False
        skip = Skip(look.app, choice.target.environment, choice.ref, message)
        self.notes[look.app.repository].append(f"{skip.environment}: not deployed, {message}")
        by_itself = hold is not None and hold.until_ref is not None  # what runs now is what a person wants: no news
        if not by_itself and not self.stopping and self._store.deployments.skip(skip):
            _log.info("skipped", app=skip.app, environment=skip.environment, ref=short(skip.ref.name), reason=message)
        return True

    def _refuse(self, refusal: Refusal) -> None:
        where = f"{refusal.environment}: " if refusal.environment else ""
        self.notes[refusal.app.repository].append(f"{where}refused, {refusal.message}")
        if not self.stopping and self._store.deployments.refuse(refusal):
            _log.warning(
                "refused",
                app=refusal.app,
                environment=refusal.environment,
                ref=short(refusal.ref.name),
                reason=refusal.message,
            )

    def _fail(self, repository: str, message: str) -> None:
        if repository not in self.failed and not self.stopping:
            _log.error("reconcile failed", repository=repository, error=message)
        self.failed.setdefault(repository, message)


def _error(work: Callable[[], None]) -> DppctlError | None:
    try:
        work()
    except DppctlError as error:
        return error
    return None
