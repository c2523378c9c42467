"""Deploying by hand: the same path as a push, for a ref that a person names."""

import time
from collections.abc import Iterable, Mapping

from bot.errors import DppctlError
from bot.git.command import GitError
from bot.git.mirror import Mirror
from bot.limits import RETRY_BY_HAND_SECONDS
from bot.logs import get_logger
from bot.model.decisions import Choice, Refusal, Update
from bot.model.names import short
from bot.model.registration import Target
from bot.reconcile.images import ImageResolver, Waiting
from bot.reconcile.observe import AppState, read_values
from bot.reconcile.ops_repo import OpsRepo
from bot.reconcile.reconciler import Reconciler
from bot.store.store import Store
from bot.store.tables import DeployRequest, RequestState

_log = get_logger("dppctl.bot")


class ManualDeploys:
    """Does what `dppctl deploy` asked for."""

    def __init__(
        self,
        targets: frozenset[Target],
        apps: Mapping[str, Mirror],
        ops: Mapping[str, OpsRepo],
        store: Store,
        imaging: ImageResolver,
        reconciler: Reconciler,
    ) -> None:
        self._targets = targets
        self._apps = apps
        self._ops = ops
        self._store = store
        self._imaging = imaging
        self._reconciler = reconciler
        self._not_before: dict[int, float] = {}

    def deploy(self, request: DeployRequest) -> None:
        """Deploy, and note what became of it. Refused: the person has to change something; failed: may try again.

        A request whose image is being built stays as it is, to be asked for again.
        """
        if self._imaging.is_building(request.id) or self._not_before.get(request.id, 0.0) > time.monotonic():
            return
        try:
            done = self._deploy(request)
            if isinstance(done, Waiting):
                self._wait(request, done)
                return
            self._finish(request, "done", done[1], done[0])
        except DppctlError as error:
            self._finish(request, "failed" if isinstance(error, GitError) else "refused", str(error))

    def _wait(self, request: DeployRequest, waiting: Waiting) -> None:
        found = self._store.deployments.get(waiting.deployment) if waiting.deployment else None
        if found is None or found.ended:
            self._finish(request, "failed", waiting.message, waiting.deployment)
            return
        self._store.requests.link(request.id, found.id)
        if waiting.retry:
            self._not_before[request.id] = time.monotonic() + RETRY_BY_HAND_SECONDS

    def _finish(self, request: DeployRequest, state: RequestState, message: str, deployment: int | None = None) -> None:
        self._imaging.asked.pop(request.id, None)
        if self._reconciler.stopping:
            return  # it waits for the next start
        self._store.requests.finish(request.id, state, message, deployment)
        _log.info(
            "by hand",
            request=request.id,
            app=request.app,
            environment=request.environment,
            ref=request.ref,
            state=state,
        )

    def _deploy(self, request: DeployRequest) -> tuple[int, str] | Waiting:
        target = self._target(request)
        mirror, ops = self._apps[target.app.repository], self._ops[target.ops.repository]
        mirror.refresh()
        ops.refresh()
        text = ops.texts([target])[target]
        look = AppState(target.app, mirror, self._targets, self._store)
        choice = look.by_hand(target, request.ref) if request.ref else self._automatic(look, target, with_baseline=True)
        if choice is None:
            triggers = "no branch or tag triggers it"
            raise DppctlError(f"{target.environment} of {target.app}: {triggers}; name what to deploy with --ref")
        update = choice if isinstance(choice, Refusal) else look.plan(choice, text, request=request.id)
        if isinstance(update, Refusal):
            raise DppctlError(update.message)
        assert isinstance(choice, Choice) and isinstance(update, Update)  # noqa: S101, PT018 (for mypy)
        present = read_values(target, text)
        if present and present.request == request.id:  # the bot ended between its push and noting it
            ops_commit = ops.last_change(target)
            return self._store.deployments.record(update, ops_commit), f"ops repo commit {ops_commit[:12]}"
        ready = self._imaging.ask(look, update, request.id)
        if isinstance(ready, Waiting):
            return ready
        update = ready
        message = self._hold(look, target, choice)
        result = self._reconciler.write(target.ops.repository, [update])[target]
        if isinstance(result, DppctlError):
            raise result
        return self._store.deployments.record(update, result), f"ops repo commit {result[:12]}{message}"

    def _target(self, request: DeployRequest) -> Target:
        mine = [target for target in self._targets if str(target.app) == request.app]
        if not mine:
            raise DppctlError(f"{request.app} is not registered; {_known(str(target.app) for target in self._targets)}")
        there = [target for target in mine if target.environment == request.environment]
        if len(there) != 1:
            places = _known(f"{target.environment} of {target.ops}" for target in mine)
            raise DppctlError(f"{request.app} is not registered for {request.environment} in one ops repo; {places}")
        return there[0]

    def _automatic(self, look: AppState, target: Target, *, with_baseline: bool = False) -> Choice | Refusal | None:
        """What would be deployed there without being asked."""
        for one in look.choices(with_baseline=with_baseline):
            if (one.target == target) if isinstance(one, Choice) else one.environment == target.environment:
                return one
        return None

    def _hold(self, look: AppState, target: Target, choice: Choice) -> str:
        """Keep what is deployed now from being undone at the next look: until something new would be deployed."""
        place = (str(target.app), target.environment)
        there = next((one for one in self._store.holds.all() if (one.app, one.environment) == place), None)
        if there and there.until_ref is None:
            return ""  # a person's; it stays
        usual = self._automatic(look, target)
        usual_ref = usual.ref if isinstance(usual, Choice) else None
        if usual_ref is None or usual_ref == choice.ref:
            self._store.holds.release(*place)
            return ""
        reason = f"{short(choice.ref.name)} was deployed by hand instead of {short(usual_ref.name)}"
        self._store.holds.set(*place, reason, until=(usual_ref.name, look.tree(usual_ref)))
        return f"; it stays until {short(usual_ref.name)} is something new"


def _known(names: Iterable[str]) -> str:
    return f"known: {', '.join(sorted(set(names))) or 'nothing'}"
