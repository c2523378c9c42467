"""What `dppctl init` asks of a cluster, whatever its kind: a provider is one class that answers.

A new kind is a file beside this one, and a line in the table of `cli.providers`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cli.errors import InputError
from cli.init.chart_values import Installation
from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.kubernetes import KubernetesClient
    from cli.init.prompts import Questions


@dataclass(frozen=True)
class ClusterState:
    """How far a cluster is."""

    phase: Literal["missing", "starting", "ready", "failed"]
    line: str  # for people: what it is, or what it waits for, or what went wrong and what to do


class Provider(ABC):
    """One kind of cluster, with the settings that an app's `.dppctl.yaml` has for it."""

    kind: ClassVar[str]  # its name in the table of `cli.providers`
    # `dppctl init PROVIDER` alone makes such a cluster ready for runs; False: it takes --workers.
    makes_cluster: ClassVar[bool] = False
    # Others run it: nothing is installed there, and init has this person join it.
    is_joined: ClassVar[bool] = False
    # It gets nodes as pods need them, which takes minutes: until then a pod that fits nowhere is nothing wrong.
    grows: ClassVar[bool] = False
    # GitHub has to reach dppctl's receiver there; otherwise dppctl may look for pushes by itself.
    needs_address: ClassVar[bool] = True
    default_workers: ClassVar[int] = 1
    default_databases: ClassVar[int] = 0
    begun_lines: ClassVar[tuple[str, ...]] = (  # what is said once it has begun to start
        "Initializing Cluster, re-run dppctl init to track initialization progress",
    )

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Take the provider's own keys of `.dppctl.yaml`, such as kubeconfigContext. Reads nothing yet."""
        self._settings = dict(settings)

    @property
    @abstractmethod
    def namespace(self) -> str:
        """Return the namespace of dppctl's servers; an environment's is derived from its name."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the same keys, those that were left out filled in from this machine. Raises InputError."""

    @abstractmethod
    def start(self, *, dry_run: bool) -> str | None:
        """Make what is missing of the cluster and can be made; `dry_run`: make nothing.

        Returns a line about what was made, or would be; None: nothing is missing. Raises InputError.
        """

    @abstractmethod
    def ready(self) -> str:
        """Return a line that says that the cluster can be used. Raises InputError, with what to do, when it cannot."""

    def ask(self, questions: "Questions") -> None:  # noqa: B027 (most ask nothing)
        """Ask for the settings that are missing and that only a person knows. Raises InputError."""

    def state(self) -> ClusterState:
        """Return how far the cluster is; changes nothing. Raises InputError for what only a person can mend."""
        return ClusterState("ready", self.ready())

    def access_to_add(self) -> str:
        """Return what this machine has to be told before it reaches a cluster that is ready; "": nothing.

        `connect` and whatever asks the API server do that by themselves, so a dry run asks this before.
        """
        return ""

    def cost(self) -> str:
        """Return a line about what making the cluster costs, which is said before it is made; "": nothing."""
        return ""

    def remove(self, *, dry_run: bool) -> list[str]:  # noqa: ARG002
        """Remove what `start` made; `dry_run`: remove nothing.

        Returns a line for each thing: what is done to it; one that stays begins with `leave` or `keep`, and says why.
        """
        return []

    def join(  # noqa: B027 (most are not joined)
        self, name: str, questions: "Questions", say: "Callable[[str], None]", *, dry_run: bool
    ) -> None:
        """Have this person use a cluster that others run (`is_joined`), and call it `name`. Raises InputError."""

    def ready_line(self, workers: int, databases: int) -> str:
        """Return what is said when the cluster is ready and its pods start."""
        kinds = ((databases, "DB"), (workers, "worker"))
        counts = [f"{n} persistent {kind} pod{'' if n == 1 else 's'}" for n, kind in kinds if n or kind != "DB"]
        return f"Cluster is ready, starting {' and '.join(counts)}"

    def prepare_runs(  # noqa: B027 (most need nothing more)
        self, questions: "Questions", say: "Callable[[str], None]", *, dry_run: bool
    ) -> None:
        """Make what runs need beside Kubernetes, such as a bucket, and say so. Raises InputError."""

    def runs_values(self) -> dict[str, Any]:
        """Return values of charts/dppctl that runs have on this kind of cluster, such as its storage."""
        return {}

    def publish_to(self) -> str:
        """Return the known cluster that shows to all people what runs here publish; "": this one itself."""
        return ""

    def connect(self) -> tuple["KubernetesClient", str]:
        """Return a client of the cluster, and the kubeconfig's context that it is. Raises InputError."""
        raise InputError(f"{self.kind} is no Kubernetes cluster: `dppctl run` needs no --workers there")

    @abstractmethod
    def secret_store(self, config: Path) -> SecretStore:
        """Return where the servers' secrets are kept, unless --env-file asks for a file. Raises InputError.

        `config`: the servers' folder.
        """

    @abstractmethod
    def steps(self, installation: Installation, config: Path, secrets: SecretStore) -> list[Step]:
        """Return the steps by which the cluster gets what the servers and the app's environments need there."""

    @abstractmethod
    def next_step(self, config: Path) -> str:
        """Return what a person does next so that dppctl's servers run, as part of a sentence."""

    def environment_namespace(self, environment: str) -> str:
        """Return the namespace in which an environment of the app is deployed."""
        return f"{self.namespace}-{environment}"
