"""Asks the bot for something by a request in the store, and waits for what becomes of it.

Ctrl-C ends the waiting alone, with exit code 130: what was asked for is done all the same.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bot.limits import MAX_WORD
from bot.model.acts import ActPlan, WantedAct, plan_act
from bot.output import for_terminal, one_line
from cli.deployment_report import DeploymentReport, make_deployment_report
from cli.errors import InputError
from cli.limits import REQUEST_SECONDS, STORE_POLL_SECONDS
from cli.open_store import describe, find, local_user, watch
from cli.output_options import is_quiet, say

if TYPE_CHECKING:
    from bot.store.store import Store
    from bot.store.tables import DeployRequest

Page = Callable[[int], str]


def act(
    store: "Store", app: str, wanted: WantedAct, page: Page, *, yes: bool, reason: str, waits: bool, **more: Any
) -> NoReturn:
    """Show what an act would change, ask whether it is meant, and have the bot do it; end with an exit code.

    0: it is done, and what runs by it has succeeded; 1: it was not done, or failed; 2: it is refused. `more`: what else
    the request says; page, waits: as of `follow`. Raises DppctlError for what is not possible.
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
    with make_deployment_report() as report:
        request = answered(store, number, report)
        if request.deployment_id is not None and wanted.act != "cancel":
            if stays := request.message.partition("; ")[2]:  # until when
                report.line(stays)
            follow(store, request.deployment_id, page, report, waits=waits)
    raise_unless_done(request)
    say(request.message)
    raise SystemExit(0)


def answered(store: "Store", identity: int, report: DeploymentReport) -> "DeployRequest":
    """Wait for the bot's answer to a request, or for the deployment that it waits for. Raises InputError: refused."""
    report.waiting()
    try:
        return _answered(store, identity)
    except KeyboardInterrupt:
        left = f"request {identity} stays, and the bot takes it; `dppctl list deployments` shows what becomes of it"
        report.close()
        raise _left(left) from None


def _answered(store: "Store", identity: int) -> "DeployRequest":
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


def follow(store: "Store", identity: int, page: Page, report: DeploymentReport, *, waits: bool) -> NoReturn:
    """Report a deployment until it has ended; exit code 0 when it succeeded, else 1. The last line is its page.

    page: the address of a deployment's page; waits: else it is said which deployment it is, and where its page is.
    """
    if not waits:
        report.line(describe(find(store, identity)))
        report.close()
        _end(identity, page, 0)
    try:
        for deployment in watch(store, identity):
            report.see(deployment)
    except KeyboardInterrupt:
        how = f"`dppctl logs {identity} --follow` follows it, `dppctl cancel {identity}` stops it"
        report.close()
        raise _left(f"deployment {identity} goes on: {how}") from None
    if deployment.state == "succeeded" and deployment.summary:
        report.line(f"data: {one_line(deployment.summary, MAX_WORD)}")
    report.close()
    if deployment.state != "succeeded":
        why = f": {deployment.error.splitlines()[0]}" if deployment.error and is_quiet() else ""
        click.echo(for_terminal(f"{deployment.state}{why}; `dppctl logs {identity}` shows the log"), err=True)
        _end(identity, page, 1)
    _end(identity, page, 0)


def _end(identity: int, page: Page, code: int) -> NoReturn:
    """Print where the deployment's page is or, where quiet is wanted, its number, which other commands take."""
    click.echo(identity if is_quiet() else page(identity))
    raise SystemExit(code)


def _left(line: str) -> SystemExit:
    click.echo(f"dppctl: {line}", err=True)
    return SystemExit(130)


def _confirm(plan: ActPlan) -> None:
    """Ask whether it is meant. Raises InputError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise InputError(f"{plan.change}: nobody can be asked whether that is meant; say --yes")
    click.echo(f"{plan.change}\n{plan.effect}")
    if not click.confirm(f"{plan.wanted.act}?"):
        click.echo("dppctl: nothing was done", err=True)
        raise SystemExit(1)
