"""`dppctl publish`: what a run wrote on a cluster that publishes elsewhere, once more."""

from pathlib import Path

import click

from cli.documented import command
from cli.errors import InputError
from cli.output_options import is_quiet
from cli.remote.clusters import CLUSTER_OPTION, choose_cluster


@command(
    examples="""
    dppctl publish run-4f0c2d9b1a7e6583
    dppctl publish run-4f0c2d9b1a7e6583 --cluster minikube-public
    """,
)
@click.argument("run")
@CLUSTER_OPTION
def publish(run: str, cluster: str | None) -> None:
    """Publish what RUN wrote, on the cluster that shows it to all people, if that broke off.

    For runs on clusters without a storage of their own, such as `dppctl init minikube-public` makes: they keep what a
    run wrote for an hour after its end.
    """
    chosen = choose_cluster(cluster, Path())
    if chosen is None or not chosen.publish_to:
        where = chosen.name if chosen else "this machine"
        raise InputError(f"runs on {where} are published there, when they end; choose another cluster by --cluster")
    from cli.remote.client import connect
    from cli.remote.relay import Relay
    from cli.run.report import QuietReport, RunReport

    report = (QuietReport if is_quiet() else RunReport)(verbose=False)
    with connect(chosen, report.note) as proxy:
        report.published(Relay(proxy, chosen.publish_to, report.note).publish_again(run), "Public")
