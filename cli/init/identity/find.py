"""In whose name dppctl's servers work: a machine user, a GitHub App, or nobody but the ops repo's deploy key."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from github import Github
from pydantic import SecretStr

from bot.model.names import RepoPath
from bot.settings import Settings
from bot.settings.github import GitHubSettings
from cli.errors import InputError
from cli.init.app import App
from cli.init.context import Answers, InitContext
from cli.init.identity.gh import gh_token, is_logged_in
from cli.init.identity.permissions import Role
from cli.init.identity.token import steps
from cli.init.prompts import Questions
from cli.init.steps.deploy_key import DeployKeyStep, host_keys, kept_keys
from cli.init.steps.github_app import AppStep, GitHubApp
from cli.init.steps.machine_user import MachineUserStep
from cli.init.steps.repository import find_repository
from cli.init.steps.step import Step

TOKEN, USER, EMAIL = "DPPCTL_GITHUB_TOKEN", "DPPCTL_GITHUB_USER", "DPPCTL_GITHUB_EMAIL"
APP_ID, APP_KEY, HOST_KEYS = "DPPCTL_GITHUB_APP_ID", "DPPCTL_GITHUB_APP_KEY", "DPPCTL_GITHUB_HOST_KEYS"


@dataclass(frozen=True)
class Identity:
    """In whose name the servers work, and what that takes."""

    name: str  # for commits
    email: str
    maker: Github  # who makes repositories and webhooks: the owner, where there is a token of theirs
    settings: Settings  # for the git of `dppctl init` itself
    access: Sequence[Step]  # they see to it that it may do what it must
    secrets: Mapping[str, str] = field(default_factory=dict)  # to be kept, by variable
    what: str = "the machine user's token"  # how messages call them
    known: Mapping[str, str] = field(default_factory=dict)  # the same, but no secrets
    chart: Mapping[str, object] = field(default_factory=dict)  # for the chart's values, below `github`
    reports: bool = True  # it may report deployments to GitHub


def find_identity(app: App, ops: RepoPath, answers: Answers, questions: Questions, context: InitContext) -> Identity:
    """Return it by flags, else by what is kept, else by asking. Raises InputError, DppctlError and GithubException."""
    if answers.deploy_key and answers.app_id:
        raise InputError("--deploy-key and --app-id: give one of them")
    if not answers.deploy_key and (github_app := _app(answers, context)):
        return _github_app(github_app, app, ops, answers, questions, context)
    kept = answers.token or context.secrets.read(TOKEN) or kept_keys(context.secrets).get(ops.repository.lower())
    if not (kept or answers.deploy_key or answers.owner_token):
        answers = _with_gh(answers, questions, context)
    if answers.deploy_key or ops.repository.lower() in kept_keys(context.secrets):
        return _deploy_key(app, ops, answers, questions, context)
    return _machine_user(app, ops, answers, questions, context)


def _with_gh(answers: Answers, questions: Questions, context: InitContext) -> Answers:
    """Ask whether gh's token shall set all up, where gh is logged in; and whether a deploy key is enough for later."""
    url = context.settings.github.url
    if questions.is_silent or not is_logged_in(url):
        return answers
    host = urlsplit(url).hostname
    if not questions.confirm(f"gh is logged in to {host}. Use its token now, to make what is missing there?"):
        return answers
    answers = replace(answers, owner_token=gh_token(url), gh=True)
    if shutil.which("ssh") is None:
        return answers
    key = "Have dppctl's servers use a deploy key, made now? (n: they get a token, and GitHub shows deployments)"
    return replace(answers, deploy_key=questions.confirm(key))


def find_maker(repository: str, answers: Answers, context: InitContext) -> Github | None:
    """Return the client of somebody who manages the webhooks of OWNER/REPO; None: nobody is known. Asks nobody."""
    token = answers.owner_token
    if token is None and (app := _app(answers, context)):
        token = app.token(repository, context.settings.github.url)
    token = token or answers.token or context.secrets.read(TOKEN)
    return context.github(token) if token else None


def _app(answers: Answers, context: InitContext) -> GitHubApp | None:
    """Return the app that stands in for the machine user; None: there is none. Raises InputError without its key."""
    identity = answers.app_id or context.open_settings.read(APP_ID)
    if not identity:
        return None
    key = answers.app_key or context.secrets.read(APP_KEY) or context.settings.github.app_private_key
    if not key:
        raise InputError(f"the private key of the GitHub App {identity} is kept nowhere; give --app-key-file")
    return GitHubApp(identity, key, context.settings.github)


def _machine_user(app: App, ops: RepoPath, answers: Answers, questions: Questions, context: InitContext) -> Identity:
    token = answers.token or context.secrets.read(TOKEN)
    if token is None:
        questions.note(steps(context.settings.github.url, app.path.repository, ops.repository))
        token = questions.secret("GitHub Auth Token", "--token-file")
    machine_user = context.github(token)
    name, email = _kept_name(answers, context)
    if name is None or email is None:
        account = machine_user.get_user()
        address = f"{account.id}+{account.login}@users.noreply.github.com"
        name, email = _ask_name(name, email, account.login, address, questions)
    owner = context.github(answers.owner_token) if answers.owner_token else None
    needed = _reached(owner or machine_user, app, ops, answers)
    is_new = token != context.secrets.read(TOKEN)
    tried: dict[str, Role] = {name: "app" if name == app.path.repository else "ops" for name in needed}
    return Identity(
        name=name,
        email=email,
        maker=owner or machine_user,
        settings=_settings(context, name, email, token=SecretStr(token)),
        access=[MachineUserStep(machine_user, owner, dict.fromkeys(needed, "write"), tried if is_new else {})],
        secrets={TOKEN: token},
    )


def _github_app(
    github_app: GitHubApp, app: App, ops: RepoPath, answers: Answers, questions: Questions, context: InitContext
) -> Identity:
    owner = context.github(answers.owner_token) if answers.owner_token else None
    maker = owner or context.github(github_app.token(app.path.repository, context.settings.github.url))
    name, email = _kept_name(answers, context)
    if name is None or email is None:
        account = maker.get_user(f"{github_app.slug}[bot]")
        address = f"{account.id}+{account.login}@users.noreply.github.com"
        name, email = _ask_name(name, email, account.login, address, questions)
    in_file = context.settings.github.app_key_file is not None and not answers.app_key
    return Identity(
        name=name,
        email=email,
        maker=maker,
        settings=_settings(context, name, email, app_id=github_app.identity, app_key=SecretStr(github_app.key)),
        access=[
            AppStep(github_app, app.path.repository, _reached(maker, app, ops, answers), context.settings.github.url)
        ],
        secrets={} if in_file else {APP_KEY: github_app.key},
        what=f"the private key of {github_app}",
        known={APP_ID: github_app.identity},
        chart={"appId": github_app.identity},
    )


def _deploy_key(app: App, ops: RepoPath, answers: Answers, questions: Questions, context: InitContext) -> Identity:
    owner_token = answers.owner_token
    if owner_token is None:
        context.say(
            "To add the deploy key, and the webhook, it takes a token of yours. It is used now and kept nowhere."
        )
        owner_token = questions.secret(
            "GitHub Auth Token of somebody who administers the repositories", "--owner-token-file"
        )
    owner = context.github(owner_token)
    name, email = _kept_name(answers, context)
    if name is None or email is None:
        default = GitHubSettings.model_fields
        name, email = _ask_name(name, email, default["user"].default, default["email"].default, questions)
    token = answers.token or context.secrets.read(TOKEN)
    keys = host_keys(owner, context.settings.github.ssh_url)
    settings = context.settings.replace("github", host_keys=keys)
    access: list[Step] = [DeployKeyStep(owner, ops.repository, context.secrets, settings)]
    repository = find_repository(owner, app.path.repository)
    if token:
        machine_user, name_of_app = context.github(token), app.path.repository
        tried: dict[str, Role] = {} if token == context.secrets.read(TOKEN) else {name_of_app: "app"}
        access.append(MachineUserStep(machine_user, owner, {name_of_app: "write"}, tried))
    elif repository and repository.private and app.path.repository != ops.repository:
        access.append(DeployKeyStep(owner, app.path.repository, context.secrets, settings, read_only=True))
    chart: dict[str, object] = {"hostKeys": list(keys)}
    if context.settings.github.given_ssh_url:
        chart["sshUrl"] = context.settings.github.given_ssh_url
    return Identity(
        name=name,
        email=email,
        maker=owner,
        settings=_settings(context, name, email, token=SecretStr(owner_token)),
        access=access,
        secrets={TOKEN: token} if token else {},
        known={HOST_KEYS: ",".join(keys)},
        chart=chart,
        reports=bool(token),
    )


def _reached(github: Github, app: App, ops: RepoPath, answers: Answers) -> list[str]:
    """Return the repositories to reach; on a dry run nobody can look into one that would be made."""
    exists = not answers.dry_run or find_repository(github, ops.repository) is not None
    return [app.path.repository, *([ops.repository] if exists else [])]


def _kept_name(answers: Answers, context: InitContext) -> tuple[str | None, str | None]:
    return answers.user or context.open_settings.read(USER), answers.email or context.open_settings.read(EMAIL)


def _ask_name(name: str | None, email: str | None, login: str, address: str, questions: Questions) -> tuple[str, str]:
    return (
        name or questions.text("GitHub Continuous Deployment user name", "--user", login),
        email or questions.text("GitHub Continuous Deployment user email", "--email", address),
    )


def _settings(context: InitContext, name: str, email: str, **credentials: object) -> Settings:
    """Return the settings with these credentials, and no others that are kept."""
    none = {"token": SecretStr(""), "app_id": "", "app_key_file": None, "deploy_keys": {}}
    return context.settings.replace("github", **{**none, "user": name, "email": email, **credentials})
