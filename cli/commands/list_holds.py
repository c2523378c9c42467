"""`dppctl list holds`: environments to which nothing is deployed by itself."""

from pathlib import Path

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.listing import OUTPUT_OPTION, show


@command(
    examples="""
    dppctl list holds
    dppctl list holds -o json
    """,
)
@CONFIG_OPTION
@OUTPUT_OPTION
def holds(config: Path, output: str | None) -> None:
    """List held environments: who holds each, since when, until when, and why."""
    from cli.open_store import open_store

    with open_store(config) as store:
        found = [
            {
                "app": hold.app,
                "environment": hold.environment,
                "by": hold.by,
                "login": hold.login,
                "since": hold.since.isoformat(),
                "until": hold.until.isoformat() if hold.until else None,
                "reason": hold.reason,
            }
            for hold in store.holds.all()
        ]
    show(
        found,
        output,
        columns={name: name for name in ("app", "environment", "since", "until", "login", "reason")},
        name=lambda row: f"{row['app']} {row['environment']}",
        empty="No environment is held",
    )
