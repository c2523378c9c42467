"""Follow deployments that Argo CD or Flux make, by the commit statuses that they set on commits of the ops repo.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#status
https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/github/
https://fluxcd.io/flux/components/notification/providers/#git-commit-status-updates
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from bot.backoff import Backoff
from bot.errors import DppctlError, reason_of
from bot.logs import get_logger
from bot.model.names import RepoPath, is_sha
from bot.model.registration import Target
from bot.model.reports import Phase, SyncEvent
from bot.reconcile.ops_repo import OpsRepo
from bot.store.store import Store
from bot.store.tables import Delivery, DeliveryState, Deployment

_PHASES: dict[str, Phase] = {"success": "succeeded", "failure": "failed", "error": "failed", "pending": "progress"}
_NEWEST = 100  # deployments of an environment that a status may be about

_log = get_logger("dppctl.bot")


def targets_of(context: str, targets: Iterable[Target]) -> list[Target]:
    """Return the targets that a status is about: one of the context's parts is the environment's name.

    `argocd/staging`, `kustomization/staging/1f2e3d4c`. Where several apps have an environment of that name in one ops
    repo, another part has to be the app's name (the last part of its path). `dppctl/…` is dppctl's own.
    """
    first, *_ = parts = context.split("/")
    if first == "dppctl":
        return []
    found = [target for target in targets if target.environment in parts]
    named = [target for target in found if _name(target.app) in {*parts} - {target.environment}]
    several = len({target.app for target in found}) > 1
    return sorted(named if several else found)


def report(status: Mapping[str, str], deployment: Deployment) -> SyncEvent | None:
    """Return what the status says of the deployment, in sync's words; None: nothing, or nothing new."""
    phase = _PHASES.get(status["state"])
    if phase is None or deployment.state in ("succeeded", phase) or (phase == "progress" and deployment.ended):
        return None
    return SyncEvent(
        ops_commit=deployment.ops_commit or "",
        app=deployment.app,
        environment=deployment.environment,
        ref=deployment.ref,
        commit=deployment.commit,
        phase=phase,
        time=datetime.now(UTC),
        message=f"deployed by {status['context']}: {status['description'] or status['state']}",
    )


class CommitStatuses:
    """Follows the statuses of the registered ops repos; nothing else of a payload counts."""

    def __init__(self, targets: frozenset[Target], ops: Mapping[str, OpsRepo], store: Store) -> None:
        self._targets = targets
        self._ops = ops
        self._store = store
        self._backoff = Backoff[str]()

    def waits(self, name: str) -> bool:
        """Return whether an ops repo could not be reached a moment ago."""
        return self._backoff.waits(name)

    def take(self, name: str, deliveries: Sequence[Delivery]) -> None:
        """Finish deliveries about an ops repo, the oldest first. They wait when it cannot be reached."""
        try:
            for delivery in deliveries:
                self._store.deliveries.finish([delivery.id], *self._outcome(name, delivery))
            self._backoff.succeeded(name)
        except DppctlError as error:
            self._backoff.failed(name)
            _log.error("statuses are not followed", repository=name, error=error)

    def _outcome(self, name: str, delivery: Delivery) -> tuple[DeliveryState, str | None]:
        """Record what a status says; return what became of the delivery. Raises GitError."""
        try:
            reason = self._follow(name, delivery)
        except (DppctlError, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, other statuses have nothing to do with it)
            _log.exception("status broke", repository=name, delivery=delivery.id)
            return "failed", reason_of(error)
        return ("ignored" if reason else "processed"), reason

    def _follow(self, name: str, delivery: Delivery) -> str | None:
        """Record what a status says; return why there is nothing to record. Raises GitError."""
        status, sha = delivery.status or {}, delivery.after or ""
        if status.get("state") not in _PHASES or not is_sha(sha):
            return "it is not a status of a commit"
        targets = targets_of(status["context"], [target for target in self._targets if target.ops.repository == name])
        if not targets:
            return f"context {status['context']!r} does not name one environment of one app"
        if not self._ops[name].holds(sha):
            self._ops[name].refresh()
            if not self._ops[name].holds(sha):
                return f"{sha[:12]} is no commit of the ops repo's branch"
        deployments = [found for target in targets if (found := self._deployment(target, sha))]
        for deployment in deployments:
            if event := report(status, deployment):
                self._store.deployments.report(event)
                _log.info(
                    "status",
                    app=event.app,
                    environment=event.environment,
                    ops_commit=sha,
                    phase=event.phase,
                    context=status["context"],
                )
        return None if deployments else f"no deployment is part of {sha[:12]}"

    def _deployment(self, target: Target, sha: str) -> Deployment | None:
        """Return the newest in a commit: statuses name the branch's head, which may hold more than one deployment."""
        for deployment in self._store.deployments.newest(_NEWEST, str(target.app), target.environment):
            if deployment.ops_commit and self._ops[target.ops.repository].holds(deployment.ops_commit, sha):
                return deployment
        return None


def _name(app: RepoPath) -> str:
    return (app.path or app.repository).rpartition("/")[2]
