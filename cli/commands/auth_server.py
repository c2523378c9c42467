"""`dppctl auth-server`: who people are, and what they may do."""

from pathlib import Path

import click

from cli.documented import command


@command(
    "auth-server",
    examples="""
    dppctl auth-server                       # or with a .env in this folder
    dppctl auth-server --config /etc/dppctl  # a folder with .env and apps.yaml
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, and an apps.yaml, if there are to be any; this one when it is left out.",
)
def auth_server(config: Path) -> None:
    """Let people log in, and tell the other servers who they are and what they may do, until it is ended.

    DPPCTL_AUTH_MODE says how people log in. The other servers show it the token of DPPCTL_AUTH_SERVICE_TOKEN_FILE. On
    one machine `dppctl up` has it within. All settings are in docs/settings.md.
    """
    from cli.servers.auth_server import AuthServer
    from cli.servers.lifecycle import serve

    serve(lambda stopping: AuthServer(config, stopping))
