"""`dppctl storage-server`: what is published, over HTTP."""

from pathlib import Path

import click

from cli.documented import command


@command(
    "storage-server",
    examples="""
    dppctl storage-server                       # or with a .env in this folder
    dppctl storage-server --config /etc/dppctl  # a folder with a .env
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, if there is to be one; this one when it is left out.",
)
def storage_server(config: Path) -> None:
    """Show data packages and sites that were published, until it is ended.

    DPPCTL_STORAGE_FOLDER or DPPCTL_STORAGE_BUCKET_URL says what; DPPCTL_STORAGE_HOST and DPPCTL_STORAGE_PORT where it
    listens (docs/publishing.md). On one machine `dppctl run` and `dppctl up` have it within. All settings are in
    docs/settings.md.
    """
    from cli.servers.lifecycle import serve
    from cli.servers.storage_server import StorageServer

    serve(lambda stopping: StorageServer(config, stopping))
