"""`dppctl list`: what there is."""

import click

from cli.lazy import LazyGroup

KINDS = {
    "pods": ("cli.commands.pods:pods", "Pods of this machine: name, status, age, pipeline (JSON)."),
    "clusters": ("cli.commands.login:clusters_", "Clusters that are known here, and who you are on each."),
    "deliveries": ("cli.commands.list_deliveries:deliveries", "Webhook deliveries, and why one deployed nothing."),
    "deployments": ("cli.commands.list_deployments:deployments", "What was deployed where, and how it ended."),
    "holds": ("cli.commands.list_holds:holds", "Environments to which nothing is deployed by itself, and why."),
}


@click.group("list", cls=LazyGroup, commands_by_name=KINDS)
def list_() -> None:
    """List what there is."""
