"""`dppctl list apps` and `dppctl list environments`: what is registered, and what runs where."""

from pathlib import Path

from cli.app_arguments import APP_OPTION
from cli.config_option import CONFIG_OPTION, check_servers_folder
from cli.documented import command
from cli.listing import OUTPUT_OPTION, show

_NONE = "No app is registered; `dppctl init` registers one, and docs/apps-yaml.md says how by hand"


@command(
    examples="""
    dppctl list apps
    dppctl list apps -o name
    """,
)
@CONFIG_OPTION
@OUTPUT_OPTION
def apps(config: Path, output: str | None) -> None:
    """List the apps that are registered: where their values go, and which environments they may deploy to."""
    from cli.environment_rows import registered

    check_servers_folder(config)
    found: dict[tuple[str, str], list[str]] = {}
    for target in sorted(registered(config)):
        found.setdefault((str(target.app), str(target.ops)), []).append(target.environment)
    rows = [{"app": app, "ops": ops, "environments": names} for (app, ops), names in found.items()]
    columns = {"app": "app", "ops repo": "ops", "environments": "environments"}
    show(rows, output, columns=columns, name=lambda row: row["app"], empty=_NONE)


@command(
    examples="""
    dppctl list environments
    dppctl list environments --app ann/data
    """,
)
@CONFIG_OPTION
@APP_OPTION
@OUTPUT_OPTION
def environments(config: Path, app: str | None, output: str | None) -> None:
    """List the environments of all apps: the state of each, what runs there, and what data that brought."""
    from cli.environment_rows import columns_of, environment_rows, refuse_unknown, registered
    from cli.open_store import open_store

    with open_store(config) as store:
        rows = [row for row in environment_rows(store, registered(config)) if app in (None, row["app"])]
    if app is not None and not rows:
        refuse_unknown(config, app)
    show(rows, output, columns=columns_of(rows), name=lambda row: f"{row['app']} {row['environment']}", empty=_NONE)
