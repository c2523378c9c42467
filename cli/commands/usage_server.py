"""`dppctl usage-server`: limits of people, and the log of what they do."""

from pathlib import Path

import click

from cli.documented import command


@command(
    "usage-server",
    examples="""
    dppctl usage-server                       # or with a .env in this folder
    dppctl usage-server --config /etc/dppctl  # a folder with a .env
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, if there is to be one; this one when it is left out.",
)
def usage_server(config: Path) -> None:
    """Say who may begin a run, end those that use too much, and log what people do, until it is ended.

    DPPCTL_USAGE_LIMITS_FILE has limits and bans (docs/usage.md). The other servers show it the token of
    DPPCTL_USAGE_TOKEN_FILE; it shows the proxy that of DPPCTL_PROXY_SERVICE_TOKEN_FILE. All settings are in
    docs/settings.md.
    """
    from cli.servers.lifecycle import serve
    from cli.servers.usage_server import UsageServer

    serve(lambda stopping: UsageServer(config, stopping))
