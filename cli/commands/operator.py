"""`dppctl operator`: runs on a cluster get waiting workers."""

from pathlib import Path

import click

from cli.documented import command


@command(
    examples="""
    dppctl operator                       # or with a .env in this folder
    dppctl operator --config /etc/dppctl  # a folder with a .env
    """,
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder with a .env, if there is to be one; this one when it is left out.",
)
def operator(config: Path) -> None:
    """Hand runs in a namespace of a Kubernetes cluster to waiting workers, and follow them, until it is ended.

    Runs go on without it, and the next one follows them. The cluster is the one that KUBECONFIG names, or the one that
    this runs in; DPPCTL_OPERATOR_TOKEN_FILE and DPPCTL_POOL_KEY_FILE are needed. All settings are in docs/settings.md.
    """
    from cli.servers.lifecycle import serve
    from cli.servers.operator_server import OperatorServer

    serve(lambda stopping: OperatorServer(config, stopping))
