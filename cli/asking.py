"""Asks the bot for something by a request in the store, and waits for what becomes of it."""

import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bot.model.acts import ActPlan, WantedAct, plan_act
from cli.errors import InputError
from cli.limits import REQUEST_SECONDS, STORE_POLL_SECONDS
from cli.open_store import local_user, watch

if TYPE_CHECKING:
    from bot.store.store import Store
    from bot.store.tables import DeployRequest


def act(store: "Store", app: str, wanted: WantedAct, *, yes: bool, reason: str, **more: Any) -> NoReturn:
    """Show what an act would change, ask whether it is meant, and have the bot do it; end with an exit code.

    0: it is done, and what runs by it has succeeded; 1: it was not done, or failed; 2: it is refused. `more`: what else
    the request says. Raises DppctlError for what is not possible.
    """
    names = {wanted.environment, *([wanted.source] if wanted.source else [])}
    plan = plan_act(wanted, store.acts.of_app(app, names))
    if not yes:
        _confirm(plan)
    number = store.requests.add(
        app,
        wanted.environment,
        wanted.act,
        by=local_user(),
        reason=reason,
        from_environment=wanted.source,
        to_deployment=plan.after.id if wanted.act in ("rollback", "promote") and plan.after else None,  # what was shown
        deployment=wanted.deployment,
        run=wanted.run,
        **more,
    )
    request = answered(store, number)
    if request.deployment_id is None or wanted.act == "cancel":
        raise_unless_done(request)
        click.echo(request.message)
        raise SystemExit(0)
    if note := request.message.partition("; ")[2]:  # until when it stays
        click.echo(note)
    follow(store, request.deployment_id)


def answered(store: "Store", identity: int) -> "DeployRequest":
    """Wait for the bot's answer to a request, or for the deployment that it waits for. Raises InputError: refused."""
    complain_at = time.monotonic() + REQUEST_SECONDS
    while True:
        request = store.requests.get(identity)
        assert request, "it was made a moment ago"  # noqa: S101
        if request.state == "refused":
            raise InputError(request.message)
        if request.state != "waiting" or request.deployment_id is not None:  # its image may be built first
            return request
        if time.monotonic() > complain_at:
            click.echo(
                "Nobody has taken the request yet: does `dppctl up` run? Waiting for it (Ctrl-C: leave it).", err=True
            )
            complain_at = float("inf")
        time.sleep(STORE_POLL_SECONDS)


def raise_unless_done(request: "DeployRequest") -> None:
    """End with exit code 1 when the bot could not do what was asked for."""
    if request.state != "done":
        click.echo(f"dppctl: {request.message}", err=True)
        raise SystemExit(1)


def follow(store: "Store", identity: int) -> NoReturn:
    """Print what happens to a deployment until it has ended; exit code 0 when it succeeded, else 1."""
    from bot.limits import MAX_WORD
    from bot.model.names import short
    from bot.output import one_line

    shown = 0
    for deployment in watch(store, identity):
        if not shown:
            what = f"{deployment.app} {short(deployment.ref)} {deployment.commit[:10]}"
            click.echo(f"Deployment {deployment.id}: {what} to {deployment.environment}")
        for event in deployment.events[shown:]:
            click.echo(f"{event.phase}: {event.message}" if event.message else event.phase)
        shown = len(deployment.events)
    if deployment.state != "succeeded":
        click.echo(f"{deployment.state}; `dppctl logs {deployment.id}` shows the log", err=True)
        raise SystemExit(1)
    if deployment.summary:
        click.echo(f"data: {one_line(deployment.summary, MAX_WORD)}")
    raise SystemExit(0)


def _confirm(plan: ActPlan) -> None:
    """Ask whether it is meant. Raises InputError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise InputError(f"{plan.change}: nobody can be asked whether that is meant; say --yes")
    click.echo(f"{plan.change}\n{plan.effect}")
    if not click.confirm(f"{plan.wanted.act}?"):
        click.echo("dppctl: nothing was done", err=True)
        raise SystemExit(1)
