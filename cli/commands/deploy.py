"""`dppctl deploy`: asks the running `dppctl up` for a deployment, the way a push does, and waits for its end."""

from pathlib import Path

import click

from cli.accept_option import ACCEPT_OPTION, why_accepted
from cli.app_arguments import APP, ENVIRONMENT, NO_WAIT_OPTION
from cli.config_option import CONFIG_OPTION
from cli.documented import command


@command(
    examples="""
    dppctl deploy ann/data staging                      # as .dppctl.yaml says
    dppctl deploy ann/data production --ref v1.2 -m "the corrected names"
    dppctl deploy ann/data staging --accept-change "two committees were closed"
    """,
)
@APP
@ENVIRONMENT
@click.option("--ref", help="A branch, a tag or a commit; left out: what .dppctl.yaml says.")
@click.option("--rebuild", is_flag=True, help="Build its image anew, each step of it.")
@ACCEPT_OPTION
@NO_WAIT_OPTION
@click.option("--message", "-m", default="", help="Why; it is kept with who you are.")
@CONFIG_OPTION
def deploy(
    app: str,
    environment: str,
    ref: str | None,
    rebuild: bool,
    accept_change: str | None,
    no_wait: bool,
    message: str,
    config: Path,
) -> None:
    """Deploy APP (OWNER/REPO[/PATH]) to ENVIRONMENT now, and wait for the outcome.

    `dppctl up` does the work; Ctrl-C ends the waiting alone. The last line is the address of the deployment's page.

    Exit code: 0 when all pipelines succeeded, 1 when not, 2 when it is refused, 130 after Ctrl-C.
    """
    accept, message = why_accepted(accept_change, message)
    from cli.asking import answered, follow
    from cli.deployment_report import make_deployment_report
    from cli.environment_rows import refuse_unknown
    from cli.open_store import local_user, open_store
    from cli.page_urls import deployment_pages

    with open_store(config) as store:
        refuse_unknown(config, app, environment)
        number = store.requests.add(
            app, environment, by=local_user(), reason=message, ref=ref, rebuild=rebuild, accept=accept
        )
        with make_deployment_report() as report:
            request = answered(store, number, report)
            if request.deployment_id is not None:
                follow(store, request.deployment_id, deployment_pages(config), report, waits=not no_wait)
        click.echo(f"dppctl: not deployed: {request.message}", err=True)
        raise SystemExit(1)
