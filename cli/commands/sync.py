"""`dppctl sync`: the sync that runs in a cluster and deploys with helm."""

from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION
from cli.documented import command


@command(
    examples="""
    dppctl sync                           # until it is ended
    dppctl sync --once --dry-run          # what would change, as a diff
    dppctl sync --once                    # one pass, such as from cron
    """,
)
@CONFIG_OPTION
@click.option("--once", is_flag=True, help="One pass; the exit code is 1 when an environment failed.")
@click.option("--dry-run", is_flag=True, help="With --once: show as a diff what would change, and change nothing.")
def sync(config: Path, once: bool, dry_run: bool) -> None:
    """Bring a Kubernetes cluster to what the ops repos say, with helm, until it is ended.

    The cluster is the one that KUBECONFIG names, or the one that this runs in. DPPCTL_SYNC_ENVIRONMENTS says which
    environments belong to it: staging=NAMESPACE,production=NAMESPACE. All settings are in docs/sync.md.
    """
    import threading
    from contextlib import closing

    from cli.end_signals import on_end_signals
    from cli.errors import InputError
    from cli.servers.lifecycle import serve
    from cli.servers.sync_server import SyncServer

    if dry_run and not once:
        raise InputError("--dry-run goes with --once")
    if not once:
        return serve(lambda stopping: SyncServer(config, stopping))
    with closing(SyncServer(config, threading.Event())) as server:
        on_end_signals(server.sync.stop)
        failed = server.preview(click.echo) if dry_run else not server.sync_once()
    if failed:
        raise SystemExit(1)
    return None
