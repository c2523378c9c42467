"""Acts of people on environments: roll back, promote, hold, release, cancel, try again.

`plan_act` decides from what the store knows whether one is possible; here it is done. Each step can be done again, so
a bot that is killed at any moment goes on with the request at its next start.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import cast

from bot.errors import DppctlError
from bot.model.acts import Act, ActPlan, EnvironmentFacts, PastDeployment, WantedAct, before_of, plan_act
from bot.model.decisions import Ref
from bot.model.names import RepoPath
from bot.model.registration import Target, registered_for
from bot.model.values import Source, Values
from bot.reconcile.context import BotContext
from bot.reconcile.images import Waiting
from bot.reconcile.manual_writes import Done, ManualWrites
from bot.reconcile.reconciler import Reconciler
from bot.store.deployment_changes import by_whom
from bot.store.tables import Deployment, DeployRequest


class EnvironmentActs:
    """Does what people ask of an environment, in the thread that writes its ops repo."""

    def __init__(self, context: BotContext, reconciler: Reconciler) -> None:
        self._targets, self._store, self._images = context.targets, context.store, context.images
        self._wake = context.wake
        self._writes = ManualWrites(context, reconciler)

    def do(self, target: Target, request: DeployRequest) -> Done | Waiting:
        """Do it; return the deployment that it made and what to say, or what it waits for. Raises DppctlError."""
        if request.act == "hold":
            return self._hold(target, request)
        if found := self._writes.found(target, request):
            return found
        return self._acts[request.act](target, request)

    @property
    def _acts(self) -> dict[str, Callable[[Target, DeployRequest], Done | Waiting]]:
        return {
            "deploy": lambda target, request: self._writes.deploy(target, request, request.ref),
            "rollback": self._roll_back,
            "promote": self._promote,
            "release": self._release,
            "cancel": self._cancel,
            "retry": self._retry,
        }

    def _roll_back(self, target: Target, request: DeployRequest) -> Done:
        """Have the environment go back to the values of an earlier deployment, and to what that left."""
        after = self._deployment(self._plan(target, request).after)
        values = self._writes.values_at(target, after.ops_commit)
        if request.run:
            values = self._writes.anew(target, request, values)
        return self._writes.write(target, request, values, origin=after.ops_commit or "")

    def _promote(self, target: Target, request: DeployRequest) -> Done | Waiting:
        """Have what runs in another environment of the app run here: the same commit, in the same image."""
        name = request.from_environment
        source = registered_for(str(target.app), name or "", self._targets)
        if len(source) != 1:
            raise DppctlError(f"{target.app} is not registered for {name} in one ops repo")
        after = self._deployment(self._plan(target, request).after)
        if source[0].ops.repository == target.ops.repository:
            values = self._writes.values_at(source[0], after.ops_commit)
        else:  # another thread has that ops repo
            values = _values_of(after)
        return self._writes.deploy(target, request, Ref(values.source.ref, values.source.commit), values)

    def _retry(self, target: Target, request: DeployRequest) -> Done | Waiting:
        """Run a deployment's commit once more; in the same image, when it came so far as to have one."""
        found = self._deployment(self._plan(target, request).after)
        if found.ops_commit is None:
            return self._writes.deploy(target, request, Ref(found.ref, found.commit))
        values = self._writes.values_at(target, found.ops_commit)
        return self._writes.write(target, request, self._writes.anew(target, request, values))

    def _cancel(self, target: Target, request: DeployRequest) -> Done:
        """End a deployment: what builds or runs is stopped, and the ops repo says what it said before it."""
        found = self._store.deployments.get(request.deployment or 0)
        if found is None or found.cancelled_by != request.id:  # else the bot ended in the midst of it
            found = self._deployment(self._plan(target, request).before)
        if found.ops_commit is None:
            return self._cancel_build(target, request, found)
        facts, origin = self._facts(target)[target.environment], ""
        if before := before_of(facts.find(found.id), facts):
            origin = self._deployment(before).ops_commit or ""
            values = self._writes.values_at(target, origin)
        else:  # nothing ran there, and nothing is to
            values = self._writes.values_at(target, found.ops_commit).model_copy(update={"pipelines": ()})
        self._end(found, request)
        return self._writes.write(target, request, values, origin=origin)

    def _cancel_build(self, target: Target, request: DeployRequest, found: Deployment) -> Done:
        """End a deployment that has no ops commit yet, and the request by hand that waits for its image."""
        held = self._writes.hold(target, request)  # first, so that it is not begun once more meanwhile
        self._end(found, request)
        for waiting in self._store.requests.take():
            if waiting.deployment_id == found.id:
                self._images.forget(waiting.id)
                self._store.requests.finish(waiting.id, "failed", f"cancelled {by_whom(request)}", found.id)
        self._wake(target.app.repository)  # the look ends the build that nobody wants any more
        return found.id, f"cancelled{held}"

    def _end(self, found: Deployment, request: DeployRequest) -> None:
        if not self._store.acts.cancel(found.id, request.id, f"cancelled {by_whom(request)}"):
            raise DppctlError(f"deployment {found.id} has ended meanwhile; nothing was cancelled")

    def _hold(self, target: Target, request: DeployRequest) -> Done:
        """Hold an environment, together with the answer."""
        self._plan(target, request)
        if request.until and request.until <= datetime.now(UTC):
            raise DppctlError(f"{request.until:%Y-%m-%d %H:%M} UTC is over already; hold it until later")
        until = f"until {request.until:%Y-%m-%d %H:%M} UTC" if request.until else "until it is released"
        message = f"{target.environment} of {target.app} is held {until}"
        self._store.holds.set(
            str(target.app),
            target.environment,
            request.reason or "no reason given",
            by=request.by,
            login=request.login,
            until=request.until,
            request=request.id,
            answer=message,
        )
        return None, message

    def _release(self, target: Target, request: DeployRequest) -> Done | Waiting:
        """Release an environment, together with the answer; over a change by others the bot's values are written."""
        effect, key = self._plan(target, request).effect, (str(target.app), target.environment)
        if self._store.holds.is_for_change(*key):
            return self._writes.deploy(target, request, None)
        message = f"{target.environment} of {target.app} is released: {effect}"
        self._store.holds.release(*key, request=request.id, answer=message)
        self._wake(target.app.repository)
        return None, message

    def _plan(self, target: Target, request: DeployRequest) -> ActPlan:
        wanted = WantedAct(
            cast("Act", request.act),
            target.environment,
            request.from_environment,
            request.to_deployment,
            request.deployment,
            request.run,
        )
        return plan_act(wanted, self._facts(target))

    def _facts(self, target: Target) -> Mapping[str, EnvironmentFacts]:
        of_app = [found for found in self._targets if found.app == target.app and not found.is_pattern]
        registered = {found.environment for found in (*of_app, target)}
        return self._store.acts.of_app(str(target.app), registered)

    def _deployment(self, found: PastDeployment | None) -> Deployment:
        deployment = self._store.deployments.get(found.id) if found else None
        if deployment is None:
            raise DppctlError("the deployment is gone from the store")
        return deployment


def _values_of(deployment: Deployment) -> Values:
    """Return what ran, by the deployment's receipt. Raises DppctlError without one."""
    if deployment.receipt is None:
        raise DppctlError(f"deployment {deployment.id} left no receipt that says in which image it ran")
    repository = RepoPath.parse(deployment.app)
    source = Source(
        repository=repository.repository, path=repository.path, ref=deployment.ref, commit=deployment.commit
    )
    return Values(image=deployment.receipt.get("image"), source=source, pipelines=())
