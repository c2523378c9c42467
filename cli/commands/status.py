"""`dppctl status`: whether dppctl runs, and what is in which environment."""

import sys
from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION, check_servers_folder
from cli.documented import command
from cli.limits import VERSION_SECONDS
from cli.listing import OUTPUT_OPTION, show
from cli.output_options import say


@command(
    examples="""
    dppctl status                  # a table
    dppctl status -o json | jq     # for programs
    """,
)
@CONFIG_OPTION
@OUTPUT_OPTION
def status(config: Path, output: str | None) -> None:
    """Say whether `dppctl up` (or a receiver) answers here, and what runs in each environment with what data.

    Exit code: 0, or 1 when nothing answers.
    """
    from bot.settings import load_settings
    from cli.environment_rows import columns_of, environment_rows, registered
    from cli.open_store import open_store
    from cli.page_urls import local_url, pages_url
    from cli.servers.systemd import find_unit, installed

    check_servers_folder(config)
    settings, targets = load_settings(config, receives=False), registered(config)
    problem = _problem(local_url(settings))
    unit = f" (its systemd unit is {how})" if (how := installed(find_unit())) else ""
    beside = output is not None or not sys.stdout.isatty()
    if problem:
        click.echo(f"dppctl does not answer here: {problem}; `dppctl up` starts it{unit}", err=beside)
    else:
        say(f"dppctl is up: {pages_url(settings)}/{unit}", err=beside)
    with open_store(config) as store:
        rows = environment_rows(store, targets)
    show(
        rows,
        output,
        columns=columns_of(rows),
        name=lambda row: f"{row['app']} {row['environment']}",
        empty="No app is registered; `dppctl init` registers one",
    )
    sys.exit(1 if problem else 0)


def _problem(url: str) -> str | None:
    """Return why nothing healthy answers at this address; None: it does."""
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between this machine and itself
            answer = session.get(f"{url}/readyz", timeout=VERSION_SECONDS)
    except requests.RequestException as error:
        return f"{url}: {'no answer in time' if isinstance(error, requests.Timeout) else 'nothing listens there'}"
    return None if answer.ok else f"{url}: {answer.text.strip()[:200]}"
