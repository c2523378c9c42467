"""`dppctl check`: what the bot would say of a folder, before it is pushed."""

import json
import sys
from pathlib import Path

import click

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.output_options import say


@command(
    examples="""
    dppctl check                  # the app in this folder
    dppctl check pipelines/tz     # the app in that one
    dppctl check -o json          # for programs
    """,
)
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@CONFIG_OPTION
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def check(folder: Path, config: Path, output: str) -> None:
    """Say what a push of FOLDER (an app's; left out: this one) would deploy, and what the bot would refuse.

    It reads .dppctl.yaml, the pipelines' specs and, where the bot's apps.yaml is on this machine, the registration.
    Nothing is run, and nothing leaves the machine.

    Exit code: 0, or 1 when something would be refused.
    """
    from bot.errors import DppctlError
    from bot.git.command import Git
    from bot.model.file_names import REGISTRATION_FILE
    from bot.model.registration import Target, read_registration
    from bot.output import for_terminal
    from bot.settings import load_settings
    from cli.check.findings import Finding, find
    from cli.check.folder import read_folder

    registered: frozenset[Target] | None = None
    found: list[Finding] = []
    if (config / REGISTRATION_FILE).exists():
        try:
            registered = read_registration(config / REGISTRATION_FILE)
        except DppctlError as error:
            found.append(Finding("problem", str(error)))
    found += find(read_folder(Git(load_settings(config, receives=False), searches=True), folder), registered)
    if output == "json":
        click.echo(json.dumps([{"kind": line.kind, "text": line.text} for line in found], indent=1))
    else:
        for line in found:
            text = line.text if line.kind == "fine" else f"{line.kind}: {line.text}"
            if line.kind == "problem":
                click.echo(for_terminal(text), err=True)
            else:
                say(for_terminal(text))
        if not (config / REGISTRATION_FILE).exists():
            say(f"not checked: whether the app is registered, as there is no {REGISTRATION_FILE} in {config}")
    sys.exit(any(line.kind == "problem" for line in found))
