"""Deploying by hand: the same path as a push, for a ref that a person names."""

import logging
from collections.abc import Iterable, Mapping

from bot.errors import BotError
from bot.git import GitError
from bot.look import Look, read_values
from bot.mirror import Mirror
from bot.names import short
from bot.ops_repo import OpsRepo
from bot.reconcile import Choice, Refusal, Update
from bot.reconciler import Reconciler
from bot.registration import Target
from bot.store import Store
from bot.tables import DeployRequest, RequestState

_log = logging.getLogger("dppctl.bot")


class ByHand:
    """Does what `dppctl deploy` asked for."""

    def __init__(
        self,
        targets: frozenset[Target],
        apps: Mapping[str, Mirror],
        ops: Mapping[str, OpsRepo],
        store: Store,
        reconciler: Reconciler,
    ) -> None:
        self._targets = targets
        self._apps = apps
        self._ops = ops
        self._store = store
        self._reconciler = reconciler

    def deploy(self, request: DeployRequest) -> None:
        """Deploy, and note what became of it. Refused: the person has to change something; failed: may try again."""
        try:
            deployment, message = self._deploy(request)
            if not self._reconciler.stopping:
                self._store.finish_request(request.id, "done", message, deployment)
        except BotError as error:
            if not self._reconciler.stopping:  # else it waits for the next start
                state: RequestState = "failed" if isinstance(error, GitError) else "refused"
                self._store.finish_request(request.id, state, str(error))
        fields = (request.id, request.app, request.environment, request.ref)
        _log.info("by hand request=%s app=%s environment=%s ref=%s", *fields)

    def _deploy(self, request: DeployRequest) -> tuple[int, str]:
        target = self._target(request)
        mirror, ops = self._apps[target.app.repository], self._ops[target.ops.repository]
        mirror.refresh()
        ops.refresh()
        text = ops.texts([target])[target]
        look = Look(target.app, mirror, self._targets, self._store)
        choice = look.by_hand(target, request.ref) if request.ref else self._automatic(look, target, with_baseline=True)
        if choice is None:
            triggers = "no branch or tag triggers it"
            raise BotError(f"{target.environment} of {target.app}: {triggers}; name what to deploy with --ref")
        update = choice if isinstance(choice, Refusal) else look.plan(choice, text, request.id)
        if isinstance(update, Refusal):
            raise BotError(update.message)
        assert isinstance(choice, Choice) and isinstance(update, Update)  # noqa: S101, PT018 (for mypy)
        present = read_values(target, text)
        if present and present.request == request.id:  # the bot ended between its push and noting it
            ops_commit = ops.last_change(target)
            return self._store.record_update(update, ops_commit), f"ops repo commit {ops_commit[:12]}"
        message = self._hold(look, target, choice)
        result = self._reconciler.write(target.ops.repository, [update])[target]
        if isinstance(result, BotError):
            raise result
        return self._store.record_update(update, result), f"ops repo commit {result[:12]}{message}"

    def _target(self, request: DeployRequest) -> Target:
        mine = [target for target in self._targets if str(target.app) == request.app]
        if not mine:
            raise BotError(f"{request.app} is not registered; {_known(str(target.app) for target in self._targets)}")
        there = [target for target in mine if target.environment == request.environment]
        if len(there) != 1:
            places = _known(f"{target.environment} of {target.ops}" for target in mine)
            raise BotError(f"{request.app} is not registered for {request.environment} in one ops repo; {places}")
        return there[0]

    def _automatic(self, look: Look, target: Target, *, with_baseline: bool = False) -> Choice | Refusal | None:
        """What would be deployed there without being asked."""
        for one in look.choices(with_baseline=with_baseline):
            if (one.target == target) if isinstance(one, Choice) else one.environment == target.environment:
                return one
        return None

    def _hold(self, look: Look, target: Target, choice: Choice) -> str:
        """Keep what is deployed now from being undone at the next look: until something new would be deployed."""
        place = (str(target.app), target.environment)
        there = next((one for one in self._store.holds() if (one.app, one.environment) == place), None)
        if there and there.until_ref is None:
            return ""  # a person's; it stays
        usual = self._automatic(look, target)
        usual_ref = usual.ref if isinstance(usual, Choice) else None
        if usual_ref is None or usual_ref == choice.ref:
            self._store.release(*place)
            return ""
        reason = f"{short(choice.ref.name)} was deployed by hand instead of {short(usual_ref.name)}"
        self._store.hold(*place, reason, until=(usual_ref.name, look.tree(usual_ref)))
        return f"; it stays until {short(usual_ref.name)} is something new"


def _known(names: Iterable[str]) -> str:
    return f"known: {', '.join(sorted(set(names))) or 'nothing'}"
