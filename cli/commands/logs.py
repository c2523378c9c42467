"""`dppctl logs`: what the pipelines of a deployment wrote, or of a run on a cluster."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.output import for_terminal
from cli.completions import complete_app_or_environment
from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.errors import InputError
from cli.output_options import note
from cli.remote.clusters import CLUSTER_OPTION, LOCAL, choose_cluster

if TYPE_CHECKING:
    from bot.store.store import Store


@command(
    examples="""
    dppctl logs                            # of the latest deployment
    dppctl logs ann/data staging --follow  # of the latest there, to its end
    dppctl logs --failed                   # of the latest that failed
    dppctl logs run-4f0c2d9b1a7e6583 --cluster office
    """,
)
@click.argument(
    "what", nargs=-1, metavar="[DEPLOYMENT | APP [ENVIRONMENT] | RUN]", shell_complete=complete_app_or_environment
)
@click.option("--failed", is_flag=True, help="Of the latest deployment that failed.")
@click.option("--follow", "-f", is_flag=True, help="Until the deployment has ended; exit code 1 if it did not succeed.")
@CONFIG_OPTION
@CLUSTER_OPTION
def logs(what: tuple[str, ...], failed: bool, follow: bool, config: Path, cluster: str | None) -> None:
    """Print the log of a DEPLOYMENT, by its number; left out: of the latest, of all or of an APP or its ENVIRONMENT.

    A RUN on a cluster, by its name, is reported as `dppctl run` does, from its start to its end; so is the exit code.
    With --cluster alone it is your latest one there.
    """
    if len(what) > 2:
        raise InputError(f"{' '.join(what)}: name a deployment by its number, or an app and its environment")
    is_number = len(what) == 1 and what[0].isascii() and what[0].isdecimal()
    is_run = len(what) == 1 and not is_number and "/" not in what[0]
    if failed and (is_number or is_run):
        raise InputError(f"--failed finds one by itself, and {what[0]} is one already; leave one of them out")
    if is_run or (cluster not in (None, LOCAL) and not what):
        sys.exit(_show_run(what[0] if what else None, cluster, failed=failed))
    if is_number and not 0 < int(what[0]) < 2**31:
        raise InputError(f"{what[0]} is no deployment's id; `dppctl list deployments` has those that are")
    from cli.open_store import open_store

    with open_store(config) as store:
        state = _print(store, int(what[0]) if is_number else _latest(store, config, what, failed=failed), follow=follow)
    if follow and state != "succeeded":
        raise SystemExit(1)


def _latest(store: "Store", config: Path, what: tuple[str, ...], *, failed: bool) -> int:
    """Return which deployment is the latest, and say so. Raises InputError when there is none."""
    from cli.environment_rows import refuse_unknown
    from cli.open_store import describe

    found = store.lists.latest(*what, failed=failed)
    if found is None:
        refuse_unknown(config, *(what or (None,)))
        where = f" of {what[0]} to {what[1]}" if len(what) == 2 else f" of {what[0]}" if what else ""
        kind = "no deployment has failed" if failed else "there is no deployment"
        raise InputError(f"{kind}{where}; `dppctl list deployments` lists those that there are")
    note(describe(found))
    return found.id


def _print(store: "Store", number: int, *, follow: bool) -> str:
    """Print a deployment's log, with `follow` to its end; return its state."""
    from cli.open_store import find, unseen, watch

    found, log = find(store, number), store.deployments.log(number)
    click.echo(for_terminal(log), nl=False)
    if follow:
        for latest in watch(store, number):
            found, now = latest, store.deployments.log(number)
            click.echo(for_terminal(unseen(log, now)), nl=False)
            log = now
    if found.error:
        click.echo(for_terminal(f"{found.state}: {found.error}"), err=True)
    elif not log:
        note(f"It is {found.state}, and has written nothing" + ("" if found.ended else " yet"))
    return found.state


def _show_run(name: str | None, cluster: str | None, *, failed: bool) -> int:
    """Report a run, by its name or (None) your latest one; return its exit code. Raises InputError without one."""
    chosen = choose_cluster(cluster, Path())
    if chosen is None:
        raise InputError(
            f"{name} is no deployment's number and no app (OWNER/REPO); a run's log is on its cluster: --cluster NAME"
        )
    from cli.commands.run import make_report
    from cli.remote.client import connect
    from cli.remote.pods import show_log

    with make_report("text", verbose=True) as report, connect(chosen, report.note) as proxy:
        if name is None:
            mine = [run for run in proxy.runs() if not failed or run.phase == "Failed"]
            if not (runs := sorted(mine, key=lambda run: run.created)):
                what = "no run that failed" if failed else "no run"
                raise InputError(f"you have {what} on {chosen.name}; `dppctl run --cluster {chosen.name}` starts one")
            name = runs[-1].name
            report.note(f"Run {name}")
        return show_log(proxy, name, report)
