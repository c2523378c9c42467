"""`dppctl list deployments`: what `dppctl up` deployed, with what result."""

from pathlib import Path

import click

from cli.app_arguments import APP_OPTION, ENVIRONMENT_OPTION
from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.listing import OUTPUT_OPTION, show


@command(
    examples="""
    dppctl list deployments
    dppctl list deployments --app ann/data --environment production --limit 3
    dppctl list deployments -o json | jq '.[0].state'
    """,
)
@CONFIG_OPTION
@APP_OPTION
@ENVIRONMENT_OPTION
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@OUTPUT_OPTION
def deployments(config: Path, app: str | None, environment: str | None, limit: int, output: str | None) -> None:
    """List deployments, the newest first."""
    from cli.environment_rows import refuse_unknown
    from cli.open_store import open_store

    with open_store(config) as store:
        found = [
            {
                "id": deployment.id,
                "app": deployment.app,
                "environment": deployment.environment,
                "ref": deployment.ref,
                "commit": deployment.commit,
                "state": deployment.state,
                "act": deployment.act,
                "by": deployment.login or deployment.by,
                "reason": deployment.reason,
                "kept": deployment.kept,
                "rows": deployment.rows,
                "data": deployment.summary,
                "waits_for": deployment.gate,
                "subject": deployment.subject,
                "author": deployment.author,
                "changed": deployment.changed.isoformat(),
                "error": deployment.error,
                "why": deployment.error or (deployment.gate and f"waits for {deployment.gate}"),
            }
            for deployment in store.deployments.newest(limit, app=app, environment=environment)
        ]
    if not found and (app or environment):
        refuse_unknown(config, app, environment)
    show(
        found,
        output,
        columns={name: name for name in ("id", "app", "environment", "ref", "state", "data", "changed", "why")},
        name=lambda row: str(row["id"]),
        empty="No deployments yet; a push that an app's .dppctl.yaml names makes one",
    )
