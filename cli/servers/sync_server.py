"""The in-cluster sync, wired together from its settings."""

import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.kubeconfig import own_namespace
from bot.kubernetes import KubernetesClient, NoClusterError
from bot.logs import get_logger
from bot.model.names import RepoPath
from bot.model.reports import SyncEvent
from bot.probes import HttpServer
from bot.settings import Settings
from cli.limits import SYNC_STOP_SECONDS
from cli.servers.daemon import Daemon
from cli.servers.lifecycle import set_up
from cluster.errors import ClusterError
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Rules
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.job_run import JobLimits
from cluster.sync.helm.lease import Lease, lease_name
from cluster.sync.helm.lease_holding import LeaseHolding
from cluster.sync.helm.preview import preview
from cluster.sync.helm.server import SyncApplication
from cluster.sync.helm.sync import HelmSync
from cluster.sync.reporter import Reporter
from cluster.sync.repositories import Repositories

_log = get_logger("dppctl.sync")


class SyncServer(Daemon):
    """`dppctl sync`: HelmSync, and its HTTP. To be closed when it is not `run`."""

    finishes: ClassVar[Mapping[str, float]] = {"sync": SYNC_STOP_SECONDS}

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Open all that is needed. Raises DppctlError."""
        setup = set_up(config, receives=False)
        self._settings = settings = setup.settings
        if not settings.sync.environments:
            raise DppctlError("DPPCTL_SYNC_ENVIRONMENTS: is not set; say staging=NAMESPACE,production=NAMESPACE")
        self._resting = threading.Event()  # sync is to do nothing: another one holds the Lease, or all ends
        state = settings.state_dir / "helm-sync"
        state.mkdir(parents=True, exist_ok=True)
        ops_repos = {
            target.ops.repository for target in setup.targets if target.environment in settings.sync.environments
        }
        with ExitStack() as opened:  # what was opened is closed when a later step fails
            git = Git(settings)
            opened.callback(git.close)
            self._helm = Helm("helm", state / "helm", settings.sync.helm_seconds, settings.all_secrets)
            opened.callback(self._helm.close)
            charts = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="dppctl-charts-")))
            api, namespace = _connect()
            self._context = SyncContext(
                api=api,
                helm=self._helm,
                charts=Charts(charts),
                repositories=Repositories({name: _mirror(git, settings, state, name) for name in ops_repos}),
                report=_reporter(settings, self._resting),
                slots=threading.Semaphore(settings.sync.concurrency),
                limits=JobLimits(run=settings.sync.job_seconds),
                repair=settings.sync.drift == "repair",
            )
            super().__init__(stopping, opened.pop_all())
        rules = Rules(
            prune=settings.sync.prune,
            drift_seconds=None if settings.sync.drift == "off" else settings.sync.drift_seconds,
            helm_seconds=settings.sync.helm_seconds,
        )
        self.sync = HelmSync(self._context, setup.targets, settings.sync.environments, rules, self._resting)
        identity = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        lease = Lease(self._context.api, namespace, lease_name(self.sync.locations.values()), identity)
        self._holding = LeaseHolding(lease)
        self._address = ""

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return sync; its HTTP has a thread of its own."""
        settings = self._settings
        token = settings.sync.token.get_secret_value()
        application = SyncApplication(token, self.sync, self._helm, lambda: self._holding.problem)
        server = HttpServer(settings.listen.host, settings.listen.port, application.respond)
        self.opened.callback(server.close)
        self._address = server.address
        return {"sync": self._work}

    def _work(self) -> None:
        """Deploy while this process holds the Lease, else wait for it."""
        while self._holding.wait(self.stopping):
            self._resting.clear()
            with self._holding.renewed(self.sync.stop):
                if not self.stopping.is_set():
                    self.sync.run()

    def sync_once(self) -> bool:
        """Make one pass. Return whether all went well; raises ClusterError beside another sync that deploys."""
        if not self._holding.take(self._resting):
            return False
        with self._holding.renewed(self.sync.stop):
            went_well = self.sync.sync()
            if self._holding.problem:
                raise ClusterError(f"not all was deployed: {self._holding.problem}")
        return went_well

    def hello(self) -> str:
        """Name the address of its HTTP, and how many environments it deploys."""
        count = len(self.sync.locations)
        return f"dppctl sync is up: {self._address}/ ({count} environments belong to this cluster)"

    def stop(self) -> None:
        """End sync; what it is at is gone on with after the next start."""
        self.sync.stop()

    def preview(self, say: Callable[[str], None]) -> bool:
        """Print what would change; return whether something could not be found out."""
        failed = not self.sync.read()
        for location, desired in self.sync.known():
            target, release = location.target, location.release
            title = f"{target.app} in {target.environment} (release {release}, {location.namespace})"
            try:
                text = preview(self._context, location, desired, prune=self._settings.sync.prune)
            except DppctlError as error:
                failed = True
                text = f"cannot be deployed: {error}\n"
            say(f"== {title}: {'' if text else 'nothing changes'}\n{text}".rstrip())
        return failed


def _connect() -> tuple[KubernetesClient, str]:
    """Return the client of the cluster that KUBECONFIG names, else of this pod's, and our own namespace there."""
    try:
        return KubernetesClient(), own_namespace()
    except NoClusterError as error:
        raise DppctlError(f"no cluster: {error.reason}; let KUBECONFIG name one, or run in a pod") from None


def _reporter(settings: Settings, stopping: threading.Event) -> Callable[[SyncEvent], int | None]:
    if not settings.sync.receiver_url:
        _log.warning("DPPCTL_RECEIVER_URL is not set: how deployments go is told to nobody")
        return _tell_nobody
    if not settings.sync.has_shared_token:
        raise DppctlError("DPPCTL_SYNC_TOKEN: is not set; the receiver at DPPCTL_RECEIVER_URL knows sync by it")
    return Reporter(settings.sync.receiver_url, settings.sync.token.get_secret_value(), stopping).post


def _tell_nobody(_: SyncEvent) -> None:
    """Report nothing: whoever wants to know looks at the log, or at /metrics."""


def _mirror(git: Git, settings: Settings, state: Path, name: str) -> Mirror:
    return Mirror(git, settings.github.repository_url(name), state / "ops" / RepoPath(name).slug)
