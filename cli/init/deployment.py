"""`dppctl init` of an app: its folder, its cluster and GitHub, before the steps of `cli.init.flow`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from github import GithubException

from bot.git.command import Git
from bot.github.errors import explain
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.config_action import branch_problem
from bot.settings import load_settings
from bot.settings.github import GitHubSettings
from bot.settings.load import read_variables
from cli.errors import InputError
from cli.init.app import App, find_app
from cli.init.clusters.bring_up import bring_up, lacks_access
from cli.init.context import Answers, InitContext
from cli.init.flow import set_up
from cli.init.identity.gh import gh_token
from cli.init.prerequisites import check_deployment
from cli.init.prompts import Questions
from cli.init.secret_stores import EnvFile, SecretStore
from cli.init.steps.files import read_text
from cli.init.undo import undo
from cli.output_options import say
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
    given = _answers(answers, config)
    questions = Questions(yes=yes)
    check_deployment(
        *(folder, config, given),
        repo=repo,
        branch=branch,
        asks=not yes,
        is_local=cluster.kind == "local",
        removes=remove,
    )
    settings = load_settings(config, receives=False)
    app = find_app(Git(settings, searches=True), folder, repo, branch)
    text = read_text(app.config_file)
    existing = parse_app_config(text, str(app.config_file)) if text else AppConfig()
    if not remove and (branch or not any(existing.actions(app.path))):
        _check_branch(app.branch)
    try:
        if not (remove or bring_up(cluster, questions, say, dry_run=given.dry_run)):
            return
        if given.dry_run and lacks_access(cluster, say):
            return
        is_made = not (remove and cluster.makes_cluster)  # none is made to remove something from it
        if is_made and (made := cluster.start(dry_run=given.dry_run)):
            say(f"{'would ' if given.dry_run else ''}{made}")
        else:
            made = None
        if not (made and given.dry_run):
            say(cluster.ready())
        file = EnvFile(config / ".env")
        store = file if env_file else _store(cluster, config)
        init_context = InitContext(settings, config, store, file, say)
        if remove:
            undo(app, given, init_context)
        else:
            say("\n".join(places(app, config, store, cluster)))
            set_up(app, cluster, given, questions, init_context)
    except (GithubException, requests.RequestException) as error:
        raise InputError(str(explain(error, app.path.repository, "the token"))) from error


def _answers(answers: Mapping[str, Any], config: Path) -> Answers:
    """Return the answers of flags with those of variables, and of gh where a flag says so."""
    given = Answers(
        **{
            **answers,
            "token": answers["token"] or os.environ.get("DPPCTL_GITHUB_TOKEN"),
            "owner_token": answers["owner_token"] or os.environ.get("DPPCTL_OWNER_TOKEN"),
        }
    )
    if not given.gh or given.owner_token:
        return given
    url = read_variables(config).get("DPPCTL_GITHUB_URL") or GitHubSettings.model_fields["url"].default
    return replace(given, owner_token=gh_token(url))


def places(app: App, config: Path, store: SecretStore, cluster: Provider) -> list[str]:
    """Return what is written where, and on which machine that is needed."""
    lines = [f"{app.config_file} goes with the app: commit and push it"]
    if cluster.kind != "local":
        return [*lines, f"{config} stays with you: the servers run in the cluster, and their secrets are in {store}"]
    lines.append(f"{config} is for dppctl's servers, which run where it is (dppctl up --config {config})")
    if isinstance(store, EnvFile):
        return [*lines, "  on another machine: copy it there (scp -rp), with the secrets in its .env"]
    return [*lines, f"  on another machine: --env-file keeps secrets there and not in {store}; then copy it (scp -rp)"]


def _store(cluster: Provider, config: Path) -> SecretStore:
    store = cluster.secret_store(config)
    if isinstance(store, EnvFile):
        say(f"this system has no keyring: secrets are kept in {store}, which only you can read")
    return store


def _check_branch(name: str) -> None:
    """Raise InputError for a branch of which no push could be deployed."""
    if problem := branch_problem(name):
        raise InputError(f"branch {problem}; name another with --branch NAME")
