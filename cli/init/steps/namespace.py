"""What the cluster must have: a namespace for each environment."""

from dataclasses import dataclass

from cli.init.steps.step import Change
from cli.providers.kubeconfig import Kubeconfig


@dataclass(frozen=True)
class NamespaceStep:
    """There is such a namespace."""

    cluster: Kubeconfig
    name: str

    def look(self) -> Change | str:
        """Nothing in it is touched."""
        if self.cluster.has_namespace(self.name):
            return f"the namespace {self.name} is there"
        return Change(f"create the namespace {self.name}", lambda: self.cluster.make_namespace(self.name))
