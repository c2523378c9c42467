"""`dppctl bot`: the bot alone. It finds in the store what `dppctl receive` took."""

from pathlib import Path

from cli.config_option import CONFIG_OPTION
from cli.documented import command


@command(
    examples="""
    dppctl bot
    dppctl bot --config /etc/dppctl     # a folder with apps.yaml and .env
    """,
)
@CONFIG_OPTION
def bot(config: Path) -> None:
    """Bring the ops repos to what the apps' repos say, until SIGTERM or Ctrl-C.

    GET /healthz on DPPCTL_HOST and DPPCTL_PORT tells whether it goes on. DPPCTL_SYNC_URL: the sync that it wakes.
    """
    from cli.servers.lifecycle import serve, set_up
    from cli.servers.standalone import BotServer

    serve(lambda stopping: BotServer(set_up(config, receives=False), stopping))
