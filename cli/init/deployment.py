"""`dppctl init` of an app: its folder, its cluster and GitHub, before the steps of `cli.init.flow`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import requests
from github import GithubException

from bot.git.command import Git
from bot.github.errors import explain
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.config_action import branch_problem
from bot.model.file_names import CONFIG_FILE, REGISTRATION_FILE
from bot.settings import load_settings
from bot.settings.types import is_web
from cli.errors import InputError
from cli.init.app import find_app
from cli.init.clusters.bring_up import bring_up, lacks_access
from cli.init.context import Answers, InitContext
from cli.init.flow import set_up
from cli.init.prompts import Questions
from cli.init.secret_stores import EnvFile, SecretStore
from cli.init.steps.files import read_text
from cli.init.undo import undo
from cli.providers.provider import Provider


def init_deployment(
    cluster: Provider,
    folder: Path,
    config: Path,
    answers: Mapping[str, Any],
    *,
    repo: str | None,
    branch: str | None,
    env_file: bool,
    remove: bool,
    yes: bool,
) -> None:
    """Set up the continuous deployment of the app in a folder, or undo that.

    `config`: the servers' folder; `answers`: fields of Answers, as flags give them. Raises InputError and DppctlError.
    """
    settings = load_settings(config, receives=False)
    if not is_web(settings.github.url):
        raise InputError(
            f"DPPCTL_GITHUB_URL is {settings.github.url}: there is nobody to sign up and no webhook to set. `dppctl "
            f"init` needs a GitHub; without one, write {REGISTRATION_FILE} and {CONFIG_FILE} yourself (see "
            f"{CONFIG_FILE}.example)"
        )
    app = find_app(Git(settings, searches=True), folder, repo)
    if branch:
        app = replace(app, branch=branch)
    text = read_text(app.config_file)
    existing = parse_app_config(text, str(app.config_file)) if text else AppConfig()
    if not remove and (branch or not any(existing.actions(app.path))):
        _check_branch(app.branch)
    given = Answers(
        **{
            **answers,
            "token": answers["token"] or os.environ.get("DPPCTL_GITHUB_TOKEN"),
            "owner_token": answers["owner_token"] or os.environ.get("DPPCTL_OWNER_TOKEN"),
        }
    )
    questions = Questions(yes=yes)
    try:
        if not (remove or bring_up(cluster, questions, click.echo, dry_run=given.dry_run)):
            return
        if given.dry_run and lacks_access(cluster, click.echo):
            return
        is_made = not (remove and cluster.makes_cluster)  # none is made to remove something from it
        if is_made and (made := cluster.start(dry_run=given.dry_run)):
            click.echo(f"{'would ' if given.dry_run else ''}{made}")
        else:
            made = None
        if not (made and given.dry_run):
            click.echo(cluster.ready())
        file = EnvFile(config / ".env")
        store = file if env_file else _store(cluster, config)
        init_context = InitContext(settings, config, store, file, click.echo)
        if remove:
            undo(app, given, init_context)
        else:
            set_up(app, cluster, given, questions, init_context)
    except (GithubException, requests.RequestException) as error:
        raise InputError(str(explain(error, app.path.repository, "the token"))) from error


def _store(cluster: Provider, config: Path) -> SecretStore:
    store = cluster.secret_store(config)
    if isinstance(store, EnvFile):
        click.echo(f"this system has no keyring: secrets are kept in {store}, which only you can read")
    return store


def _check_branch(name: str) -> None:
    """Raise InputError for a branch of which no push could be deployed."""
    if problem := branch_problem(name):
        raise InputError(f"branch {problem}; name another with --branch NAME")
