"""`dppctl list`: what there is."""

import click

from cli.lazy import LazyGroup

KINDS = {
    "pods": ("cli.commands.pods:pods", "Pods of this machine or a cluster: name, status, age, pipeline."),
    "clusters": ("cli.commands.login:clusters_", "Clusters that are known here, and who you are on each."),
    "pipelines": ("cli.commands.list_pipelines:pipelines", "Pipelines of an app's folder: ids, schedules, files."),
    "databases": ("cli.commands.list_databases:databases", "Databases of runs and environments on this machine."),
    "deliveries": ("cli.commands.list_deliveries:deliveries", "Webhook deliveries, and why one deployed nothing."),
    "apps": ("cli.commands.list_environments:apps", "Apps that are registered, and their environments."),
    "environments": ("cli.commands.list_environments:environments", "What runs in each environment of each app."),
    "deployments": ("cli.commands.list_deployments:deployments", "What was deployed where, and how it ended."),
    "holds": ("cli.commands.list_holds:holds", "Environments to which nothing is deployed by itself, and why."),
}


@click.group(
    "list",
    cls=LazyGroup,
    commands_by_name=KINDS,
    examples="""
    dppctl list pods
    dppctl list deployments --environment production --limit 3
    dppctl list environments -o json | jq
    """,
)
def list_() -> None:
    """List what there is."""
