"""`dppctl deploy`: asks the running `dppctl up` for a deployment, the way a push does, and waits for its end."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.config_option import CONFIG_OPTION
from cli.limits import REQUEST_SECONDS, STORE_POLL_SECONDS

if TYPE_CHECKING:
    from bot.store.store import Store
    from bot.store.tables import DeployRequest


@click.command()
@click.argument("app")
@click.argument("environment")
@click.option("--ref", help="A branch, a tag or a commit; left out: what .dppctl.yaml says.")
@click.option("--rebuild", is_flag=True, help="Build its image anew, each step of it.")
@CONFIG_OPTION
def deploy(app: str, environment: str, ref: str | None, rebuild: bool, config: Path) -> None:
    """Deploy APP (OWNER/REPO[/PATH]) to ENVIRONMENT now, and wait for the outcome.

    `dppctl up` does the work. Exit code: 0 when all pipelines succeeded, 1 when not, 2 when it is refused.
    """
    from bot.model.names import short
    from cli.errors import InputError
    from cli.open_store import local_user, open_store, watch

    with open_store(config) as store:
        request = _answered(store, store.requests.add(app, environment, by=local_user(), ref=ref, rebuild=rebuild))
        if request.state == "refused":
            raise InputError(request.message)
        if request.deployment_id is None:
            click.echo(f"dppctl: not deployed: {request.message}", err=True)
            raise SystemExit(1)
        shown = 0
        for deployment in watch(store, request.deployment_id):
            if not shown:
                what = f"{deployment.app} {short(deployment.ref)} {deployment.commit[:10]}"
                click.echo(f"Deployment {deployment.id}: {what} to {deployment.environment}")
            for event in deployment.events[shown:]:
                click.echo(f"{event.phase}: {event.message}" if event.message else event.phase)
            shown = len(deployment.events)
    if deployment.state != "succeeded":
        click.echo(f"{deployment.state}; `dppctl logs {deployment.id}` shows the log", err=True)
        raise SystemExit(1)


def _answered(store: "Store", identity: int) -> "DeployRequest":
    complain_at = time.monotonic() + REQUEST_SECONDS
    while True:
        request = store.requests.get(identity)
        assert request, "it was made a moment ago"  # noqa: S101
        if request.state != "waiting" or request.deployment_id is not None:  # its image may be built first
            return request
        if time.monotonic() > complain_at:
            click.echo(
                "Nobody has taken the request yet: does `dppctl up` run? Waiting for it (Ctrl-C: leave it).", err=True
            )
            complain_at = float("inf")
        time.sleep(STORE_POLL_SECONDS)
