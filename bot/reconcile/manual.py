"""What people ask for by hand: each request is done, and answered, whatever becomes of it."""

import time

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, may_pass, reason_of
from bot.git.errors import GitError
from bot.git.mirror import BusyError
from bot.limits import RETRY_BY_HAND_SECONDS
from bot.logs import get_logger
from bot.model.registration import Target, check_registered
from bot.reconcile.acts import EnvironmentActs
from bot.reconcile.context import BotContext
from bot.reconcile.images import Waiting
from bot.reconcile.reconciler import Reconciler
from bot.store.tables import DeployRequest, RequestState

_log = get_logger("dppctl.bot")


class ManualDeploys:
    """Does what people asked for, in the thread that writes the ops repo."""

    def __init__(self, context: BotContext, reconciler: Reconciler) -> None:
        self._targets, self._store = context.targets, context.store
        self._images, self._stop = context.images, context.stop
        self._acts = EnvironmentActs(context, reconciler)
        self._not_before: dict[int, float] = {}

    def waits(self, request: DeployRequest) -> bool:
        """Return whether a request has to wait, such as for its image."""
        return self._images.is_building(request.id) or self._not_before.get(request.id, 0.0) > time.monotonic()

    def refuse(self, request: DeployRequest, error: DppctlError) -> None:
        """Record that a request cannot be done. Failed: git or the network; the person may try again."""
        self._finish(request, "failed" if isinstance(error, GitError) or may_pass(error) else "refused", str(error))

    def deploy(self, request: DeployRequest) -> None:
        """Do what is asked for, and record what became of it. The app's repository was refreshed before.

        Refused: the person has to change something; failed: may try again. A request whose image is being built stays
        as it is, to be asked for again; one whose repository is being refreshed once more does too.
        """
        try:
            result = self._acts.do(self.target(request), request)
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
            act=request.act,
            by=request.by,
            reason=request.reason,
            app=request.app,
            environment=request.environment,
            ref=request.ref,
            state=state,
        )

    def target(self, request: DeployRequest) -> Target:
        """Return what a request is about. Raises DppctlError when that is not registered."""
        found = check_registered(request.app, request.environment, self._targets)
        if len(found) != 1:
            where = " and ".join(str(target.ops) for target in found)
            what = f"{request.app} is registered for {request.environment}"
            raise DppctlError(f"{what} in more than one ops repo: {where}")
        return found[0]
