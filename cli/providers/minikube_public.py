"""minikube for compute, on this machine, and somebody's public cluster that shows what comes out to all people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import click

from cli.providers.minikube import Minikube
from cli.providers.provider import ClusterState
from cli.remote.errors import ProxyAwayError
from cli.remote.public_cluster import NAME, ask_url, find_url, log_in, log_out, login_state

if TYPE_CHECKING:
    from cli.init.prompts import Questions

_URL = "minikubePublicUrl"


class MinikubePublic(Minikube):
    """As `minikube`, and `minikubePublicUrl`: the address of the public cluster, https://HOST."""

    kind = "minikube-public"
    makes_cluster: ClassVar[bool] = True
    begun_lines: ClassVar[tuple[str, ...]] = (
        "Initializing a local minikube cluster which publishes data to the public dppctl cluster",
        "Track progress by re-running dppctl init",
    )

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._url = find_url(settings.get(_URL, ""))

    def settings(self) -> dict[str, str]:
        """Return minikube's, and the address."""
        return {**super().settings(), _URL: self._url}

    def ask(self, questions: "Questions") -> None:
        """Ask for what minikube asks for, and for the address."""
        super().ask(questions)
        flags = "--public-url, DPPCTL_PUBLIC_CLUSTER_URL or minikubePublicUrl in .dppctl.yaml"
        self._url = self._url or ask_url(questions, flags)

    def state(self) -> ClusterState:
        """Ask minikube, then the public cluster who one is there."""
        found = super().state()
        if found.phase != "ready":
            return found
        try:
            if not login_state(NAME, self._url):
                return ClusterState("missing", f"you are not logged in to the public dppctl cluster at {self._url}")
        except ProxyAwayError as error:
            return ClusterState("failed", str(error))
        return found

    def start(self, *, dry_run: bool) -> str | None:
        """Log in to the public cluster, then start minikube's."""
        lines = []
        if not login_state(NAME, self._url):
            if dry_run:
                lines.append(f"log in to the public dppctl cluster at {self._url}")
            else:
                log_in(NAME, self._url, click.echo)
        # Not logged in, this one's state would be that minikube is missing.
        if not lines or super().state().phase != "ready":
            lines += filter(None, [super().start(dry_run=dry_run)])
        return ", and ".join(lines) or None

    def runs_values(self) -> dict[str, Any]:
        """Have a publisher that keeps what runs wrote until it is fetched, and shows it to nobody."""
        return {"storage": {"enabled": True, "engine": "none"}}

    def publish_to(self) -> str:
        """Return the public cluster."""
        return NAME

    def remove(self, *, dry_run: bool) -> list[str]:
        """Remove minikube's cluster, then log out of the public one."""
        return [*super().remove(dry_run=dry_run), *log_out(NAME, dry_run=dry_run)]
