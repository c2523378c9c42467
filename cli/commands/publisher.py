"""`dppctl publisher`: what runs on a cluster wrote comes into the storage."""

from pathlib import Path

import click

from cli.documented import command


@command(
    examples="""
    dppctl publisher                       # or with a .env in this folder
    dppctl publisher --config /etc/dppctl  # a folder with a .env
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, if there is to be one; this one when it is left out.",
)
def publisher(config: Path) -> None:
    """Take what runs on a cluster wrote from their workers, and put it into the storage, until it is ended.

    It goes on with what a publisher before it began. DPPCTL_PUBLISHER_REMOTE is the storage: a folder, or a bucket that
    an rclone daemon beside it has the credentials of (DPPCTL_RCLONE_URL). All settings are in docs/settings.md.
    """
    from cli.servers.lifecycle import serve
    from cli.servers.publisher_server import PublisherServer

    serve(lambda stopping: PublisherServer(config, stopping))
