"""`--accept-change WHY` of the commands that run pipelines anew."""

import click

ACCEPT_OPTION = click.option(
    "--accept-change", metavar="WHY", help="Take the data as it comes out, once, whatever `expect:` says."
)


def why_accepted(accept_change: str | None, message: str) -> tuple[bool, str]:
    """Return whether a change is accepted, and why all of it is asked for. Raises UsageError for no reason or two."""
    if accept_change is None:
        return False, message
    if not accept_change.strip() or message:
        raise click.UsageError('--accept-change "WHY" says why, once: neither empty nor with --message')
    return True, accept_change
