"""What people do to environments, each by a request to the running `dppctl up`: see docs/acting.md."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.accept_option import ACCEPT_OPTION, why_accepted
from cli.app_arguments import APP, ENVIRONMENT, NO_WAIT_OPTION
from cli.completions import complete_environments
from cli.config_option import CONFIG_OPTION
from cli.documented import command

_TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])
_MESSAGE = click.option("--message", "-m", default="", help="Why; it is kept with who you are.")
_YES = click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")


def _act(*options: Callable[..., Any], examples: str) -> Callable[..., Any]:
    """Return a decorator that makes a function a command with these options, and those that all acts have."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        for option in reversed((*options, _YES, CONFIG_OPTION)):
            function = option(function)
        return command(examples=examples)(function)

    return decorate


@_act(
    APP,
    ENVIRONMENT,
    click.option("--to", type=int, metavar="DEPLOYMENT", help="Which one; left out: what ran before."),
    click.option("--run", is_flag=True, help="Run its pipelines again, such as when its data is not kept any more."),
    NO_WAIT_OPTION,
    _MESSAGE,
    examples="""
    dppctl rollback ann/data production               # what ran before
    dppctl rollback ann/data production --to 12       # deployment 12
    """,
)
def rollback(
    app: str, environment: str, to: int | None, run: bool, no_wait: bool, message: str, yes: bool, config: Path
) -> None:
    """Go back to what ran in ENVIRONMENT of APP before, with the data of then; nothing runs.

    It stays until something new is pushed, or `dppctl release`. Exit code: 0 it is back, 1 not, 2 it is refused.
    """
    from bot.model.acts import WantedAct

    wanted = WantedAct("rollback", environment, to=to, run=run)
    _do(config, app, wanted, yes=yes, reason=message, no_wait=no_wait)


@_act(
    APP,
    click.argument("source", metavar="FROM", shell_complete=complete_environments),
    click.argument("target", metavar="TO", shell_complete=complete_environments),
    NO_WAIT_OPTION,
    _MESSAGE,
    examples="""
    dppctl promote ann/data staging production
    dppctl promote ann/data staging production -m "checked by Ann" --yes
    """,
)
def promote(app: str, source: str, target: str, no_wait: bool, message: str, yes: bool, config: Path) -> None:
    """Run in TO what runs in FROM of APP: the same commit, in the same image.

    Exit code: 0 when all pipelines succeeded, 1 when not, 2 when it is refused.
    """
    from bot.model.acts import WantedAct

    _do(config, app, WantedAct("promote", target, source=source), yes=yes, reason=message, no_wait=no_wait)


@_act(
    APP,
    ENVIRONMENT,
    click.option("--reason", "--message", "-m", required=True, help="Why; it is shown wherever the hold is."),
    click.option("--until", type=_TIMES, metavar="TIME", help="Then it ends: 2026-12-01, or 2026-12-01T18:00."),
    examples="""
    dppctl hold ann/data production --reason "elections: no change"
    dppctl hold ann/data production -m "repairs" --until 2026-12-01
    """,
)
def hold(app: str, environment: str, reason: str, until: datetime | None, yes: bool, config: Path) -> None:
    """Have nothing deployed to ENVIRONMENT of APP by itself, until `dppctl release`.

    Exit code: 0 it is held, 1 not, 2 it is refused.
    """
    from bot.model.acts import WantedAct

    when = until.astimezone() if until else None
    _do(config, app, WantedAct("hold", environment), yes=yes, reason=reason, until=when)


@_act(
    APP,
    ENVIRONMENT,
    _MESSAGE,
    examples="""
    dppctl release ann/data production
    """,
)
def release(app: str, environment: str, message: str, yes: bool, config: Path) -> None:
    """End a hold: what .dppctl.yaml says is deployed to ENVIRONMENT of APP again.

    Exit code: 0 it is released, 1 not, 2 it is refused.
    """
    from bot.model.acts import WantedAct

    _do(config, app, WantedAct("release", environment), yes=yes, reason=message)


@_act(
    click.argument("deployment", type=int),
    _MESSAGE,
    examples="""
    dppctl cancel 12      # deployment 12
    """,
)
def cancel(deployment: int, message: str, yes: bool, config: Path) -> None:
    """Stop a deployment that is built, waits or runs; its environment keeps what it had.

    Exit code: 0 it is cancelled, 1 not, 2 it is refused.
    """
    _do_on("cancel", deployment, config, yes=yes, reason=message)


@_act(
    click.argument("deployment", type=int),
    ACCEPT_OPTION,
    NO_WAIT_OPTION,
    _MESSAGE,
    examples="""
    dppctl retry 12       # deployment 12
    dppctl retry 12 --accept-change "two committees were closed"
    """,
)
def retry(deployment: int, accept_change: str | None, no_wait: bool, message: str, yes: bool, config: Path) -> None:
    """Run a deployment that failed, or was cancelled, once more.

    Exit code: 0 when all pipelines succeeded, 1 when not, 2 when it is refused.
    """
    accept, message = why_accepted(accept_change, message)
    _do_on("retry", deployment, config, yes=yes, reason=message, no_wait=no_wait, accept=accept)


def _do(config: Path, app: str, wanted: Any, *, no_wait: bool = False, **more: Any) -> None:
    from cli.asking import act
    from cli.environment_rows import refuse_unknown
    from cli.open_store import open_store
    from cli.page_urls import deployment_pages

    with open_store(config) as store:
        for environment in (wanted.source, wanted.environment):
            refuse_unknown(config, app, environment)
        act(store, app, wanted, deployment_pages(config), waits=not no_wait, **more)


def _do_on(name: Any, deployment: int, config: Path, *, no_wait: bool = False, **more: Any) -> None:
    from bot.model.acts import WantedAct
    from cli.asking import act
    from cli.open_store import find, open_store
    from cli.page_urls import deployment_pages

    with open_store(config) as store:
        found = find(store, deployment)
        wanted = WantedAct(name, found.environment, deployment=deployment)
        act(store, found.app, wanted, deployment_pages(config), waits=not no_wait, **more)
