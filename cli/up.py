"""`dppctl up`: receiver, bot and local sync in one process."""

from pathlib import Path

import click

CONFIG_OPTION = click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="here",
    help="The folder with apps.yaml and .env.",
)


@click.command()
@CONFIG_OPTION
def up(config: Path) -> None:
    """Deploy on this machine what is pushed: the webhook receiver, the bot and local sync, until Ctrl-C.

    The folder holds apps.yaml (which apps to deploy) and .env (DPPCTL_WEBHOOK_SECRETS=… and other settings).
    """
    import signal
    import threading

    from cli.stack import Stack

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # while it sets up
    try:
        stack = Stack(config, click.echo, stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stack.start()
        click.echo(f"dppctl is up: {stack.address}/ (webhooks go to {stack.address}/webhooks/github)")
        stop.wait()
        stack.stop()
    except KeyboardInterrupt:
        return
    if stack.broken:
        raise SystemExit(1)
