"""Deploying by hand: the same path as a push, for a ref that a person names."""

import time
from collections.abc import Iterable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, may_pass, reason_of
from bot.git.errors import GitError
from bot.git.mirror import BusyError
from bot.limits import COPY_SECONDS, RETRY_BY_HAND_SECONDS
from bot.logs import get_logger
from bot.model.app_state import AppState
from bot.model.decisions import Choice, Refusal
from bot.model.names import short
from bot.model.registration import Target
from bot.reconcile.context import BotContext
from bot.reconcile.decide import choose, choose_named, decide_manual
from bot.reconcile.images import Waiting
from bot.reconcile.observe import observe_manual
from bot.reconcile.reconciler import Reconciler
from bot.store.tables import DeployRequest, RequestState

_log = get_logger("dppctl.bot")


class ManualDeploys:
    """Does what `dppctl deploy` asked for, in the thread that writes the ops repo."""

    def __init__(self, context: BotContext, reconciler: Reconciler) -> None:
        self._targets, self._apps, self._ops = context.targets, context.apps, context.ops
        self._store, self._images, self._stop = context.store, context.images, context.stop
        self._signatures, self._reconciler = context.signatures, reconciler
        self._not_before: dict[int, float] = {}

    def waits(self, request: DeployRequest) -> bool:
        """Return whether a request has to wait, such as for its image."""
        return self._images.is_building(request.id) or self._not_before.get(request.id, 0.0) > time.monotonic()

    def refuse(self, request: DeployRequest, error: DppctlError) -> None:
        """Record that a request cannot be done. Failed: git or the network; the person may try again."""
        self._finish(request, "failed" if isinstance(error, GitError) or may_pass(error) else "refused", str(error))

    def deploy(self, request: DeployRequest) -> None:
        """Deploy what the app's repository said when it was refreshed, and record what became of it.

        Refused: the person has to change something; failed: may try again. A request whose image is being built stays
        as it is, to be asked for again; one whose repository is being refreshed once more does too.
        """
        try:
            result = self._deploy(request)
            if isinstance(result, Waiting):
                self._wait(request, result)
                return
            deployment, message = result
            self._finish(request, "done", message, deployment)
        except BusyError:
            return
        except DppctlError as error:
            self.refuse(request, error)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, other requests have nothing to do with it)
            _log.exception("deployment by hand broke", request=request.id)
            self._finish(request, "failed", reason_of(error))

    def _wait(self, request: DeployRequest, waiting: Waiting) -> None:
        found = self._store.deployments.get(waiting.deployment) if waiting.deployment else None
        if found is None or found.ended:
            self._finish(request, "failed", waiting.message, waiting.deployment)
            return
        self._store.requests.link(request.id, found.id)
        if waiting.retry:
            self._not_before[request.id] = time.monotonic() + RETRY_BY_HAND_SECONDS

    def _finish(self, request: DeployRequest, state: RequestState, message: str, deployment: int | None = None) -> None:
        self._images.forget(request.id)
        self._not_before.pop(request.id, None)
        if self._stop.is_set():
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
        """Return the deployment's id and what to say of it, or what it waits for. Raises DppctlError."""
        target = self.target(request)
        with self._apps[target.app.repository].use(COPY_SECONDS):
            return self._deploy_to(target, request)

    def _deploy_to(self, target: Target, request: DeployRequest) -> tuple[int, str] | Waiting:
        mirror, ops = self._apps[target.app.repository], self._ops[target.ops.repository]
        ops.refresh()
        text = ops.texts([target])[target]
        with mirror.open() as repository:
            verify = partial(self._signatures.problems, target, mirror.folder)
            state, named = observe_manual(target, repository, self._targets, text, self._store, request.ref, verify)
        choice = choose_named(target, named) if named else _automatic(state, target, with_baseline=True)
        if choice is None:
            triggers = "no branch or tag triggers it"
            raise DppctlError(f"{target.environment} of {target.app}: {triggers}; name what to deploy with --ref")
        update = decide_manual(choice, state, request.id)
        if isinstance(update, Refusal):
            raise DppctlError(update.message)
        present = state.targets[target].values
        if present and present.request == request.id:  # the bot ended between its push and recording it
            ops_commit = ops.last_change(target)
            return self._store.deployments.record(update, ops_commit), f"ops repo commit {ops_commit[:12]}"
        files = mirror.files(update.ref.commit, target.app.path)
        resolved = self._images.resolve_manual(state, update, files, request.id, rebuild=request.rebuild)
        if isinstance(resolved, Waiting):
            return resolved
        message = self._hold(state, target, update.ref.name)
        result = self._reconciler.write(target.ops.repository, [resolved])[target]
        if isinstance(result, DppctlError):
            raise result
        return self._store.deployments.record(resolved, result), f"ops repo commit {result[:12]}{message}"

    def target(self, request: DeployRequest) -> Target:
        """Return what a request is about. Raises DppctlError when that is not registered."""
        of_app = [target for target in self._targets if str(target.app) == request.app]
        if not of_app:
            raise DppctlError(f"{request.app} is not registered; {_known(str(target.app) for target in self._targets)}")
        found = [target for target in of_app if target.environment == request.environment]
        if len(found) != 1:
            known = _known(f"{target.environment} of {target.ops}" for target in of_app)
            raise DppctlError(f"{request.app} is not registered for {request.environment} in one ops repo; {known}")
        return found[0]

    def _hold(self, state: AppState, target: Target, ref: str) -> str:
        """Keep what is deployed now from being undone at the next look: until something new would be deployed."""
        hold, key = state.targets[target].hold, (str(target.app), target.environment)
        if hold and hold.is_by_person:
            return ""  # it stays
        automatic = _automatic(state, target)
        if not isinstance(automatic, Choice) or automatic.ref.name == ref:
            self._store.holds.release(*key)
            return ""
        name = short(automatic.ref.name)
        reason = f"{short(ref)} was deployed by hand instead of {name}"
        tree = state.commits[automatic.ref.commit].tree
        self._store.holds.set(*key, reason, instead_of=(automatic.ref.name, tree))
        return f"; it stays until {name} is something new"


def _automatic(state: AppState, target: Target, *, with_baseline: bool = False) -> Choice | Refusal | None:
    """Return what would be deployed there without being asked."""
    for choice in choose(state, with_baseline=with_baseline):
        if (choice.target == target) if isinstance(choice, Choice) else choice.environment == target.environment:
            return choice
    return None


def _known(names: Iterable[str]) -> str:
    return f"known: {', '.join(sorted(set(names))) or 'nothing'}"
