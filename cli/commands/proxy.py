"""`dppctl proxy`: the API of runs on a cluster."""

from pathlib import Path

import click

from cli.documented import command


@command(
    examples="""
    dppctl proxy                       # or with a .env in this folder
    dppctl proxy --config /etc/dppctl  # a folder with a .env
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, if there is to be one; this one when it is left out.",
)
def proxy(config: Path) -> None:
    """Take runs from people for a namespace of a Kubernetes cluster, and show them what happens, until it is ended.

    People are known by the tokens of DPPCTL_PROXY_TOKENS_FILE: `dppctl token`. The cluster is the one that KUBECONFIG
    names, or the one that this runs in; DPPCTL_OPERATOR_URL leads to its operator, whose token is in
    DPPCTL_OPERATOR_TOKEN_FILE. All settings are in docs/settings.md.
    """
    from cli.servers.lifecycle import serve
    from cli.servers.proxy_server import ProxyServer

    serve(lambda stopping: ProxyServer(config, stopping))
