"""The arguments and options that name an app and an environment; shells complete them."""

import click

from cli.completions import complete_apps, complete_environments

APP = click.argument("app", shell_complete=complete_apps)
ENVIRONMENT = click.argument("environment", shell_complete=complete_environments)
NO_WAIT_OPTION = click.option(
    "--no-wait", is_flag=True, help="Do not wait for the end: print the deployment's number, and its page."
)
APP_OPTION = click.option("--app", help="Only this one: OWNER/REPO or OWNER/REPO/PATH.", shell_complete=complete_apps)
ENVIRONMENT_OPTION = click.option("--environment", help="Only what went there.", shell_complete=complete_environments)
