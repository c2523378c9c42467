"""`dppctl list holds`: environments to which nothing is deployed by itself."""

import json
from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION


@click.command()
@CONFIG_OPTION
def holds(config: Path) -> None:
    """List held environments as JSON: who holds each, since when, until when, and why."""
    from cli.open_store import open_store

    with open_store(config) as store:
        found = [
            {
                "app": hold.app,
                "environment": hold.environment,
                "by": hold.by,
                "login": hold.login,
                "since": hold.since.isoformat(),
                "until": hold.until.isoformat() if hold.until else None,
                "reason": hold.reason,
            }
            for hold in store.holds.all()
        ]
    click.echo(json.dumps(found, indent=1))
