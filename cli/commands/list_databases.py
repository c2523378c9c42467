"""`dppctl list databases`: those of runs on this machine that are still there, and those of environments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.listing import OUTPUT_OPTION, show


@command(
    examples="""
    dppctl list databases
    dppctl list databases -o name     # for dppctl ssh
    """,
)
@CONFIG_OPTION
@OUTPUT_OPTION
def databases(config: Path, output: str | None) -> None:
    """List the databases of this machine: of runs, and of environments that `dppctl up` deploys to.

    `dppctl ssh NAME` opens a shell on one of a run; the file of an environment is what runs there now.
    """
    show(
        [*_of_runs(), *_of_environments(config)],
        output,
        columns={"name": "name", "kind": "kind", "status": "status", "where": "where", "pages": "web_ui"},
        name=lambda row: row["name"],
        empty="No databases; `dppctl run` makes one",
    )


def _of_runs() -> Iterator[dict[str, Any]]:
    from cluster.local.sessions.record import all_sessions

    for session in all_sessions():
        if session.kind == "db":
            yield {
                "name": session.name,
                "kind": "sqlite" if session.file else "postgres",
                "status": session.status,
                "where": session.file or _address(session.engine),
                "web_ui": session.urls.get("web_ui"),
            }


def _of_environments(config: Path) -> Iterator[dict[str, Any]]:
    """Yield those of `dppctl up`; nothing where this folder has no servers, or they have deployed nothing yet."""
    from bot.model.file_names import REGISTRATION_FILE
    from bot.settings import load_settings
    from cli.environment_rows import registered
    from cluster.sync.local.environment import environment_folder

    if not (config / REGISTRATION_FILE).exists():
        return
    folders = load_settings(config, receives=False).state_dir / "environments"
    for target in sorted(registered(config)):
        file = environment_folder(folders, target) / "current/data.sqlite"
        if file.exists():
            yield {
                "name": f"{target.app} {target.environment}",
                "kind": "sqlite",
                "status": "current",
                "where": str(file),
                "web_ui": None,
            }


def _address(engine: str) -> str:
    """Return where a server is, without the password that its URL has."""
    from urllib.parse import urlsplit

    url = urlsplit(engine)
    return f"{url.hostname}:{url.port}{url.path}"
