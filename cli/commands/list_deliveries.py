"""`dppctl list deliveries`: which webhook deliveries came, and why one deployed nothing."""

import json
from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION


@click.command()
@CONFIG_OPTION
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
def deliveries(config: Path, limit: int) -> None:
    """List webhook deliveries as JSON, the newest first; `reason` says why one deployed nothing."""
    from cli.open_store import open_store

    with open_store(config) as store:
        found = [
            {
                "id": delivery.id,
                "event": delivery.event,
                "repository": delivery.repository,
                "ref": delivery.ref,
                "state": delivery.state,
                "reason": delivery.reason,
                "received": delivery.received.isoformat(),
            }
            for delivery in store.deliveries.newest(limit)
        ]
    click.echo(json.dumps(found, indent=1))
