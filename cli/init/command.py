"""`dppctl init`: the command's flags, and what they become."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.completions import complete_providers
from cli.documented import command
from cli.errors import InputError
from cli.home_folder import home_folder
from cli.init.clusters.flags import SETTING_FLAGS, check_settings, with_setting_flags
from cli.init.runs.flags import AUTH_FLAGS, AuthFlags, RunsFlags, with_auth_flags
from cli.output_options import say

if TYPE_CHECKING:
    from bot.model.app_config import AppConfig

# Flags of continuous deployment alone, beside those with arguments of their own.
_OF_DEPLOYMENT = ("ops_repo", "address", "user", "email", "app_id", "deploy_key", "rotate_secret", "gh")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command(
    examples="""
    dppctl init --local      # an app of this machine, without GitHub
    dppctl init              # an app on GitHub; again: what is still missing
    dppctl init minikube     # a cluster for dppctl run: on this machine,
    dppctl init kamatera     # or a new one at Kamatera
    """,
    headings={
        "The app": "--folder --repo --branch --ops-repo --staging --production",
        "Without GitHub": "--local --git",
        "GitHub": "--url --user --email --token-file --owner-token-file --gh --app-id --app-key-file --deploy-key"
        " --rotate-secret",
        "dppctl's servers": "--config --env-file --context --namespace",
        "A cluster for dppctl run": "--workers --databases --worker-image --image --cluster-name --token-user --values"
        " --usage --wait",
        "Who may use that cluster": AUTH_FLAGS,
        "A cluster that init makes or joins": " ".join(found.flag for found in SETTING_FLAGS),
    },
)
@click.argument("provider", required=False, shell_complete=complete_providers)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="here",
    help="The app's folder, in a clone of its repository.",
)
@click.option(
    "--local",
    is_flag=False,
    flag_value=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[FOLDER]",
    help="An app of this machine, without GitHub: repositories to push to are made here.",
)
@click.option(
    "--git", "git_folder", type=click.Path(file_okay=False, path_type=Path), help="With --local: their folder."
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
@click.option("--gh", is_flag=True, help="Take the token of yours from gh, GitHub's command line, which is logged in.")
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
@click.option("--worker-image", help="The workers', with Python and dpp. [default: ghcr.io/orihoch/dppctl-runtime]")
@click.option("--image", help="dppctl's own image. [default: ghcr.io/orihoch/dppctl of this version]")
@click.option("--cluster-name", help="How `dppctl run` calls the cluster. [default: the provider's name]")
@click.option("--token-user", help="Whose token is made for `dppctl run`. [default: your name here]")
@click.option("--values", type=_FILE, help="More values of charts/dppctl, as `helm --values` takes them.")
@click.option("--usage/--no-usage", default=None, help="And a usage server: limits, and a log. [default: as it is]")
@click.option("--wait", type=click.FloatRange(1), help="Seconds until workers are ready. [default: 300]")
@click.option(
    "--remove", is_flag=True, help="Undo the webhook, the deploy key, the registration; or runs, and the cluster."
)
@click.option("--yes", is_flag=True, help="Ask nothing: flags and defaults answer.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be changed.")
@with_auth_flags
@with_setting_flags
def init(
    provider: str | None,
    folder: Path,
    local: Path | None,
    git_folder: Path | None,
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
    settings: Mapping[str, str],
    **answers: str | bool | None,
) -> None:
    """Set up continuous deployment of the app in this folder, or make a PROVIDER's cluster ready for `dppctl run`.

    PROVIDER is local, kubeconfig, minikube, or one of those that init makes or joins by itself: docs/clusters.md. What
    a cluster costs is said before it is made. What takes long goes on by itself: `dppctl init` alone comes back to it.
    Where the folder's app has continuousDeployment, or a flag of that is given, init sets that up; --workers or
    --databases makes any cluster ready for `dppctl run`.

    Run it again at any time: it says what is there, mends what is not, and doubles nothing. Exit code: 0, or 2 when
    something is missing that only you can do; it says what.
    """
    from cli.init.clusters.choose import begun_cluster
    from cli.providers import make_provider, namespace_key, provider_kind

    if local is not None:
        return _init_local(provider, local, config, repo, branch, git_folder, remove, answers)
    if git_folder:
        raise InputError("--git is for --local: the folder with OWNER/REPO.git of app and ops repo")
    app = _app_config(folder)
    files = {"token": token_file, "owner_token": owner_token_file, "app_key": app_key_file}
    of_app = [repo, branch, *files.values(), *(answers[name] for name in _OF_DEPLOYMENT)]
    for_runs = workers is not None or databases is not None
    for_app = bool(app.continuous_deployment or any(of_app))
    if not (provider or for_runs or for_app or remove):
        provider, cluster_name = begun_cluster(app, cluster_name, folder)
    kind = provider_kind(provider or app.cluster_provider)
    address = str(answers["address"] or "")
    if kind.is_joined:  # the address is the cluster's
        for_app = bool(app.continuous_deployment or any(value for value in of_app if value != address))
        settings = {**settings, f"{kind.kind}Url": address} if address else settings
    check_settings(settings, kind.kind)
    kept = app.provider_settings if kind.kind == app.cluster_provider else {}
    asked = {"kubeconfigContext": context, namespace_key(kind.kind): namespace, **settings}
    given = {key: str(value) for key, value in kept.items()} | {key: value for key, value in asked.items() if value}
    if for_runs or (kind.makes_cluster and not for_app):
        from cli.init.clusters.flow import init_cluster, known_settings, remove_made
        from cli.init.prompts import Questions

        name = cluster_name or kind.kind
        cluster = make_provider(kind.kind, known_settings(name, kind.kind) | given)
        flags = RunsFlags(
            workers, databases, image, worker_image, cluster_name, token_user, wait, values, address, usage
        )
        dry_run = bool(answers["dry_run"])
        if remove:
            return remove_made(name, cluster, flags, Questions(yes=yes), say, dry_run=dry_run)
        return init_cluster(name, cluster, flags, auth_flags, Questions(yes=yes), say, dry_run=dry_run)
    auth_flags.check_unused()
    from cli.init.deployment import init_deployment

    return init_deployment(
        make_provider(kind.kind, given),
        folder,
        config,
        {"provider": provider, **answers, **{name: _read(file) for name, file in files.items()}},
        repo=repo,
        branch=branch,
        env_file=env_file,
        remove=remove,
        yes=yes,
    )


def _init_local(
    provider: str | None,
    folder: Path,
    config: Path,
    repo: str | None,
    branch: str | None,
    git: Path | None,
    remove: bool,
    answers: Mapping[str, str | bool | None],
) -> None:
    from cli.init.local.flow import LocalAnswers, init_local

    if provider not in (None, "local"):
        raise InputError(f"--local is this machine, and {provider} is another place; leave out one of them")
    ops_repo, staging, production = (answers[name] for name in ("ops_repo", "staging", "production"))
    given = LocalAnswers(
        repo,
        str(ops_repo) if ops_repo else None,
        branch,
        git,
        str(staging),
        str(production),
        remove,
        bool(answers["dry_run"]),
    )
    init_local(folder, config, given, say)


def _app_config(folder: Path) -> "AppConfig":
    """Return what the app's file says; without one its defaults."""
    from bot.model.app_config import AppConfig, parse_app_config
    from bot.model.file_names import CONFIG_FILE
    from cli.init.steps.files import read_text

    text = read_text(folder / CONFIG_FILE)
    return parse_app_config(text, str(folder / CONFIG_FILE)) if text else AppConfig()


def _read(file: Path | None) -> str | None:
    return file.read_text().strip() if file else None
