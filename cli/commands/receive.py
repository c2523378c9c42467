"""`dppctl receive`: the webhook receiver and the dashboard alone. It shares the store with `dppctl bot`."""

from pathlib import Path

from cli.config_option import CONFIG_OPTION
from cli.documented import command


@command(
    examples="""
    dppctl receive
    dppctl receive --config /etc/dppctl     # a folder with apps.yaml and .env
    """,
)
@CONFIG_OPTION
def receive(config: Path) -> None:
    """Take webhooks and sync's reports, and serve the dashboard, until SIGTERM or Ctrl-C.

    What came in is in the store (DPPCTL_DATABASE_URL, or SQLite in DPPCTL_STATE_DIR), where `dppctl bot` finds it.
    """
    from cli.servers.lifecycle import serve, set_up
    from cli.servers.standalone import ReceiverServer

    serve(lambda stopping: ReceiverServer(set_up(config), stopping))
