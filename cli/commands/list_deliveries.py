"""`dppctl list deliveries`: which webhook deliveries came, and why one deployed nothing."""

from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.listing import OUTPUT_OPTION, show


@command(
    examples="""
    dppctl list deliveries
    dppctl list deliveries --limit 5 -o json
    """,
)
@CONFIG_OPTION
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@OUTPUT_OPTION
def deliveries(config: Path, limit: int, output: str | None) -> None:
    """List webhook deliveries, the newest first; `reason` says why one deployed nothing."""
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
    show(
        found,
        output,
        columns={name: name for name in ("received", "event", "repository", "ref", "state", "reason")},
        name=lambda row: row["id"],
        empty="No webhook delivery has come yet; GitHub's page of the webhook shows what it has sent",
    )
