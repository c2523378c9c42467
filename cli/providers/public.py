"""Somebody's public cluster: its address and a login, and nothing is made anywhere.

dppctl's own project runs no such cluster (docs/public-cluster.md), so its address is always asked for.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

from cli.errors import InputError
from cli.init.chart_values import Installation
from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Step
from cli.providers.provider import ClusterState, Provider
from cli.remote.clusters import read_clusters, use_cluster
from cli.remote.public_cluster import NAME, ask_url, find_url, log_in, log_out, login_state

if TYPE_CHECKING:
    from cli.init.prompts import Questions


class Public(Provider):
    """`publicUrl`: the address of its proxy, https://HOST; left out: that of DPPCTL_PUBLIC_CLUSTER_URL."""

    kind = "public"
    makes_cluster: ClassVar[bool] = True
    is_joined: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._url = find_url(self._settings.get("publicUrl", ""))

    @property
    def namespace(self) -> str:
        """Refuse: what is deployed needs a cluster of one's own."""
        self._refuse()

    def settings(self) -> dict[str, str]:
        """Return the address."""
        return {"publicUrl": self._url}

    def ask(self, questions: "Questions") -> None:
        """Ask for the address. Raises InputError where nobody is asked."""
        self._url = self._url or ask_url(questions, "--url, DPPCTL_PUBLIC_CLUSTER_URL or publicUrl in .dppctl.yaml")

    def state(self) -> ClusterState:
        """Ask the cluster who one is there."""
        line = login_state(NAME, self._url)
        return ClusterState("ready" if line else "missing", line or f"you are not logged in at {self._url}")

    def start(self, *, dry_run: bool) -> str | None:  # noqa: ARG002
        """Make nothing: it is somebody else's."""
        return None

    def ready(self) -> str:
        """Ask the cluster who one is there."""
        if (found := self.state()).phase == "ready":
            return found.line
        raise InputError(f"{found.line}; run dppctl init public once more")

    def join(self, name: str, questions: "Questions", say: "Callable[[str], None]", *, dry_run: bool) -> None:
        """Log in where that is needed, and have `dppctl run` use it under this name."""
        self.ask(questions)
        if not login_state(name, self._url):
            if dry_run:
                say(f"would log in to the public dppctl cluster at {self._url}")
            else:
                log_in(name, self._url, say)
        if not dry_run:
            use_cluster(name)
        say(f"{'would switch' if dry_run else 'Switching'} to the {name} dppctl cluster")

    def remove(self, *, dry_run: bool) -> list[str]:
        """Log out, and forget the cluster, whatever it is called here."""
        names = [name for name, known in read_clusters().by_name.items() if self._url and known.url == self._url]
        return [line for name in names for line in log_out(name, dry_run=dry_run)]

    def secret_store(self, config: Path) -> SecretStore:  # noqa: ARG002
        """Refuse: what is deployed needs a cluster of one's own."""
        self._refuse()

    def steps(self, installation: Installation, config: Path, secrets: SecretStore) -> list[Step]:  # noqa: ARG002
        """Refuse: what is deployed needs a cluster of one's own."""
        self._refuse()

    def next_step(self, config: Path) -> str:  # noqa: ARG002
        """Refuse: what is deployed needs a cluster of one's own."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise InputError(
            "a public cluster runs pipelines and deploys nothing: continuousDeployment needs a cluster of your own "
            "(clusterProvider: local, kubeconfig, minikube, gcloud or kamatera)"
        )
