"""`dppctl init`: the command's flags, and what they become."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.home_folder import home_folder
from cli.init.runs.flags import AuthFlags, RunsFlags, with_auth_flags

if TYPE_CHECKING:
    from bot.model.app_config import AppConfig
    from cli.providers.provider import Provider

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("provider", required=False)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="here",
    help="The app's folder, in a clone of its repository.",
)
@click.option("--repo", help="OWNER/REPO of the app; left out: what the remote `origin` says.")
@click.option("--branch", help="Whose pushes go to staging; left out: the default branch.")
@click.option("--ops-repo", help="OWNER/REPO[/PATH] for what each environment runs; it is made if need be.")
@click.option("--staging", default="staging", show_default=True, help="The environment of pushes.")
@click.option("--production", default="production", show_default=True, help="The environment of tags.")
@click.option("--url", "address", help="Where GitHub and people reach dppctl: https://HOST.")
@click.option("--user", help="The machine user's name, for commits.")
@click.option("--email", help="The machine user's e-mail address, for commits.")
@click.option("--token-file", type=_FILE, help="Holds the machine user's token; or DPPCTL_GITHUB_TOKEN does.")
@click.option(
    "--owner-token-file", type=_FILE, help="Holds a token of yours, to make and invite; or DPPCTL_OWNER_TOKEN does."
)
@click.option("--app-id", help="A GitHub App instead of the machine user: its id.")
@click.option("--app-key-file", type=_FILE, help="Holds the private key of that app (PEM).")
@click.option("--deploy-key", is_flag=True, help="A deploy key of the ops repo instead of the machine user.")
@click.option("--context", help="kubeconfig: which context; left out: the current one.")
@click.option("--namespace", help="On Kubernetes: where dppctl's servers are. [default: dppctl]")
@click.option(
    "--config",
    type=click.Path(file_okay=False, path_type=Path),
    default=home_folder,
    show_default="dppctl's in your home",
    help="The servers' folder: apps.yaml and .env.",
)
@click.option("--env-file", is_flag=True, help="Keep secrets in the .env there (mode 0600), not in the keyring.")
@click.option("--rotate-secret", is_flag=True, help="Make a new webhook secret; both hold until GitHub has it.")
@click.option("--workers", type=click.IntRange(0, 1000), help="For `dppctl run`: have so many workers wait there.")
@click.option("--databases", type=click.IntRange(0, 1000), help="And so many databases.")
@click.option("--worker-image", help="The workers' image, with Python and dpp.")
@click.option("--image", help="dppctl's own image. [default: ghcr.io/orihoch/dppctl of this version]")
@click.option("--cluster-name", help="How `dppctl run` calls the cluster. [default: the provider's name]")
@click.option("--token-user", help="Whose token is made for `dppctl run`. [default: your name here]")
@click.option("--values", type=_FILE, help="More values of charts/dppctl, as `helm --values` takes them.")
@click.option("--usage/--no-usage", default=None, help="And a usage server: limits, and a log. [default: as it is]")
@click.option("--wait", type=click.FloatRange(1), help="Seconds until workers are ready. [default: 300]")
@click.option(
    "--remove", is_flag=True, help="Undo the webhook, the deploy key, the registration; with --workers: runs."
)
@click.option("--yes", is_flag=True, help="Ask nothing: flags and defaults answer.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be changed.")
@with_auth_flags
def init(
    provider: str | None,
    folder: Path,
    repo: str | None,
    branch: str | None,
    token_file: Path | None,
    owner_token_file: Path | None,
    app_key_file: Path | None,
    context: str | None,
    namespace: str | None,
    config: Path,
    env_file: bool,
    workers: int | None,
    databases: int | None,
    worker_image: str | None,
    image: str | None,
    cluster_name: str | None,
    token_user: str | None,
    usage: bool | None,
    wait: float | None,
    values: Path | None,
    remove: bool,
    yes: bool,
    auth_flags: AuthFlags,
    **answers: str | bool | None,
) -> None:
    """Set up continuous deployment of the app in this folder, on a PROVIDER's cluster (local, kubeconfig, minikube).

    With --workers or --databases it does something else: it makes the cluster ready for `dppctl run` there.

    Run it again at any time: it says what is there, mends what is not, and doubles nothing. Exit code: 0, or 2 when
    something is missing that only you can do; it says what.
    """
    if workers is not None or databases is not None:
        from cli.init.runs.flow import init_runs

        url = str(answers["address"] or "")
        flags = RunsFlags(workers, databases, image, worker_image, cluster_name, token_user, wait, values, url, usage)
        cluster = _provider_of(folder, provider, context, namespace)
        dry_run = bool(answers["dry_run"])
        return init_runs(cluster, flags, auth_flags, click.echo, remove=remove, yes=yes, dry_run=dry_run)
    auth_flags.check_unused()
    import os
    from dataclasses import replace

    import requests
    from github import GithubException

    from bot.git.command import Git
    from bot.github.errors import explain
    from bot.model.app_config import CONFIG_FILE, AppConfig, parse_app_config
    from bot.model.registration import REGISTRATION_FILE
    from bot.settings import load_settings
    from bot.settings.types import is_web
    from cli.errors import InputError
    from cli.init.app import find_app
    from cli.init.context import Answers, InitContext
    from cli.init.flow import set_up
    from cli.init.prompts import Questions
    from cli.init.secret_stores import EnvFile
    from cli.init.steps.files import read_text
    from cli.init.undo import undo
    from cli.providers import make_provider

    if provider:
        make_provider(provider, {})  # an unknown one is said first
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
    cluster = _provider(provider, existing, context, namespace)
    given = Answers(
        provider=provider,
        token=_read(token_file) or os.environ.get("DPPCTL_GITHUB_TOKEN"),
        owner_token=_read(owner_token_file) or os.environ.get("DPPCTL_OWNER_TOKEN"),
        app_key=_read(app_key_file),
        **answers,  # type: ignore[arg-type]  # click has seen to their kinds
    )
    try:
        if made := cluster.start(dry_run=given.dry_run):
            click.echo(f"{'would ' if given.dry_run else ''}{made}")
        if not (made and given.dry_run):
            click.echo(cluster.ready())
        file = EnvFile(config / ".env")
        store = file if env_file else cluster.secret_store(config)
        init_context = InitContext(settings, config, store, file, click.echo)
        if remove:
            undo(app, given, init_context)
        else:
            set_up(app, cluster, given, Questions(yes=yes), init_context)
    except (GithubException, requests.RequestException) as error:
        raise InputError(str(explain(error, app.path.repository, "the token"))) from error
    return None


def _provider_of(folder: Path, name: str | None, kube_context: str | None, namespace: str | None) -> "Provider":
    """Return the provider that is asked for, else that of the app in the folder, if there is one."""
    from bot.model.app_config import CONFIG_FILE, AppConfig, parse_app_config
    from cli.init.steps.files import read_text

    text = read_text(folder / CONFIG_FILE)
    existing = parse_app_config(text, str(folder / CONFIG_FILE)) if text else AppConfig()
    return _provider(name, existing, kube_context, namespace)


def _provider(name: str | None, existing: "AppConfig", kube_context: str | None, namespace: str | None) -> "Provider":
    """Return the provider that is asked for, else the one that the app's file names, with the file's settings."""
    from cli.providers import make_provider

    chosen = name or existing.cluster_provider
    kept = existing.provider_settings if chosen == existing.cluster_provider else {}
    asked = {"kubeconfigContext": kube_context, f"{chosen}Namespace": namespace}
    return make_provider(
        chosen,
        {key: str(value) for key, value in kept.items()} | {key: value for key, value in asked.items() if value},
    )


def _check_branch(name: str) -> None:
    """Raise InputError for a branch of which no push could be deployed."""
    from bot.model.app_config import branch_problem
    from cli.errors import InputError

    if problem := branch_problem(name):
        raise InputError(f"branch {problem}; name another with --branch NAME")


def _read(file: Path | None) -> str | None:
    return file.read_text().strip() if file else None
