"""`dppctl clean`: removes what runs left on this machine long ago."""

import sys
from typing import TYPE_CHECKING

import click

from cli.documented import command
from cli.output_options import say

if TYPE_CHECKING:
    from cluster.local.cleaning import Removable


@command(
    examples="""
    dppctl clean --dry-run            # what would go
    dppctl clean                      # what nobody changed or used for 30 days
    dppctl clean --older-than 7d
    """,
)
@click.option("--older-than", default="30d", show_default=True, help="How long nobody changed or used it.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def clean(older_than: str, dry_run: bool) -> None:
    """Remove databases, published data and dpp's environments of runs long ago, and empty databases.

    What a pod uses stays, and so does what `dppctl up` deployed. An environment that was used within a day stays too.
    Exit code: 0, 1 when something cannot be removed, 2 for wrong use.
    """
    from cluster.local import durations
    from cluster.local.cleaning import old

    seconds = durations.seconds(older_than)
    failed = False
    total = count = 0
    for removable in old(seconds):
        size = removable.size
        try:
            if not dry_run:
                removable.remove()
        except OSError as error:
            failed = True
            click.echo(f"dppctl: cannot remove {removable.path}: {error.strerror or error}", err=True)
            continue
        say(f"{'Would remove' if dry_run else 'Removed'} {_described(removable, size)}")
        total += size
        count += 1
    if not count and not failed:
        say(f"Nothing is older than {durations.spoken(seconds)}")
    elif count:
        say(f"{'Would free' if dry_run else 'Freed'} {total / 1e6:.1f} MB")
    sys.exit(int(failed))


def _described(removable: "Removable", size: int) -> str:
    from cluster.local.durations import short

    return f"{removable.path} ({removable.kind}, {size / 1e6:.1f} MB, {short(removable.age)} old)"
