"""In whose name dppctl's servers work: a machine user, a GitHub App, or nobody but the ops repo's deploy key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from github import Github
from pydantic import SecretStr

from bot.model.names import RepoPath
from bot.settings import Settings
from cli.errors import InputError
from cli.init.app import App
from cli.init.context import Answers, InitContext
from cli.init.identity.permissions import Role
from cli.init.identity.token import STEPS
from cli.init.prompts import Questions
from cli.init.steps.deploy_key import DeployKeyStep, host_keys, kept_keys
from cli.init.steps.github_app import AppStep, GitHubApp
from cli.init.steps.machine_user import MachineUserStep, find_repository
from cli.init.steps.step import Step

TOKEN, USER, EMAIL = "DPPCTL_GITHUB_TOKEN", "DPPCTL_GITHUB_USER", "DPPCTL_GITHUB_EMAIL"
APP_ID, APP_KEY, HOST_KEYS = "DPPCTL_GITHUB_APP_ID", "DPPCTL_GITHUB_APP_KEY", "DPPCTL_GITHUB_HOST_KEYS"


@dataclass(frozen=True)
class Identity:
    """Who that is, and what it takes."""

    name: str  # for commits
    email: str
    maker: Github  # who makes repositories and webhooks: the owner, where there is a token of theirs
    settings: Settings  # for the git of `dppctl init` itself
    access: Sequence[Step]  # they see to it that it may do what it must
    secrets: Mapping[str, str] = field(default_factory=dict)  # to be kept, by variable
    what: str = "the machine user's token"  # how messages call them
    known: Mapping[str, str] = field(default_factory=dict)  # the same, but no secrets
    chart: Mapping[str, object] = field(default_factory=dict)  # for the chart's values, below `github`
    tells: bool = True  # may it tell GitHub of deployments?


def find_identity(app: App, ops: RepoPath, given: Answers, questions: Questions, means: InitContext) -> Identity:
    """By flags, else by what is kept, else by asking. Raises InputError, DppctlError and GithubException."""
    if given.deploy_key and given.app_id:
        raise InputError("--deploy-key and --app-id: give one of them")
    if not given.deploy_key and (github_app := _app(given, means)):
        return _github_app(github_app, app, ops, given, questions, means)
    if given.deploy_key or ops.repository.lower() in kept_keys(means.secrets):
        return _deploy_key(app, ops, given, questions, means)
    return _machine_user(app, ops, given, questions, means)


def find_maker(repository: str, given: Answers, means: InitContext) -> Github | None:
    """Who manages the webhooks of OWNER/REPO, nobody being asked; None: nobody is known."""
    token = given.owner_token
    if token is None and (app := _app(given, means)):
        token = app.token(repository, means.settings.github_url)
    token = token or given.token or means.secrets.read(TOKEN)
    return means.client(token) if token else None


def _app(given: Answers, means: InitContext) -> GitHubApp | None:
    """The one that stands in for the machine user; None: there is none. Raises InputError without its key."""
    identity = given.app_id or means.open_settings.read(APP_ID)
    if not identity:
        return None
    key = given.app_key or means.secrets.read(APP_KEY) or means.settings.app_key
    if not key:
        raise InputError(f"the private key of the GitHub App {identity} is kept nowhere; give --app-key-file")
    return GitHubApp(identity, key, means.settings.api_url)


def _machine_user(app: App, ops: RepoPath, given: Answers, questions: Questions, means: InitContext) -> Identity:
    token = given.token or means.secrets.read(TOKEN)
    if token is None:
        web = means.settings.github_url
        means.say(STEPS.format(web=web, app=app.path.repository, ops=ops.repository))
        token = questions.secret("GitHub Auth Token", "--token-file")
    theirs = means.client(token)
    name, email = _kept_name(given, means)
    if name is None or email is None:
        account = theirs.get_user()
        address = f"{account.id}+{account.login}@users.noreply.github.com"
        name, email = _ask_name(name, email, account.login, address, questions)
    owner = means.client(given.owner_token) if given.owner_token else None
    needed = _reached(owner or theirs, app, ops, given)
    is_new = token != means.secrets.read(TOKEN)
    tried: dict[str, Role] = {one: "app" if one == app.path.repository else "ops" for one in needed}
    return Identity(
        name=name,
        email=email,
        maker=owner or theirs,
        settings=_settings(means, name, email, github_token=SecretStr(token)),
        access=[MachineUserStep(theirs, owner, dict.fromkeys(needed, "write"), tried if is_new else {})],
        secrets={TOKEN: token},
    )


def _github_app(
    mine: GitHubApp, app: App, ops: RepoPath, given: Answers, questions: Questions, means: InitContext
) -> Identity:
    owner = means.client(given.owner_token) if given.owner_token else None
    maker = owner or means.client(mine.token(app.path.repository, means.settings.github_url))
    name, email = _kept_name(given, means)
    if name is None or email is None:
        account = maker.get_user(f"{mine.slug}[bot]")
        address = f"{account.id}+{account.login}@users.noreply.github.com"
        name, email = _ask_name(name, email, account.login, address, questions)
    in_file = means.settings.github_app_key_file is not None and not given.app_key
    return Identity(
        name=name,
        email=email,
        maker=maker,
        settings=_settings(means, name, email, github_app_id=mine.identity, github_app_key=SecretStr(mine.key)),
        access=[AppStep(mine, app.path.repository, _reached(maker, app, ops, given), means.settings.github_url)],
        secrets={} if in_file else {APP_KEY: mine.key},
        what=f"the private key of {mine}",
        known={APP_ID: mine.identity},
        chart={"appId": mine.identity},
    )


def _deploy_key(app: App, ops: RepoPath, given: Answers, questions: Questions, means: InitContext) -> Identity:
    mine = given.owner_token
    if mine is None:
        means.say("To add the deploy key, and the webhook, it takes a token of yours. It is used now and kept nowhere.")
        mine = questions.secret("GitHub Auth Token of somebody who administers the repositories", "--owner-token-file")
    owner = means.client(mine)
    name, email = _kept_name(given, means)
    if name is None or email is None:
        default = Settings.model_fields
        name, email = _ask_name(name, email, default["github_user"].default, default["github_email"].default, questions)
    token = given.token or means.secrets.read(TOKEN)
    keys = host_keys(owner, means.settings.ssh_url)
    settings = means.settings.model_copy(update={"github_host_keys": keys})
    access: list[Step] = [DeployKeyStep(owner, ops.repository, means.secrets, settings)]
    there = find_repository(owner, app.path.repository)
    if token:
        theirs, name_of_app = means.client(token), app.path.repository
        tried: dict[str, Role] = {} if token == means.secrets.read(TOKEN) else {name_of_app: "app"}
        access.append(MachineUserStep(theirs, owner, {name_of_app: "write"}, tried))
    elif there and there.private and app.path.repository != ops.repository:
        access.append(DeployKeyStep(owner, app.path.repository, means.secrets, settings, read_only=True))
    chart: dict[str, object] = {"hostKeys": list(keys)}
    if means.settings.github_ssh_url:
        chart["sshUrl"] = means.settings.github_ssh_url
    return Identity(
        name=name,
        email=email,
        maker=owner,
        settings=_settings(means, name, email, github_token=SecretStr(mine)),
        access=access,
        secrets={TOKEN: token} if token else {},
        known={HOST_KEYS: ",".join(keys)},
        chart=chart,
        tells=bool(token),
    )


def _reached(github: Github, app: App, ops: RepoPath, given: Answers) -> list[str]:
    """The repositories that it must reach; on a dry run nobody can look into one that would be made."""
    is_there = not given.dry_run or find_repository(github, ops.repository) is not None
    return [app.path.repository, *([ops.repository] if is_there else [])]


def _kept_name(given: Answers, means: InitContext) -> tuple[str | None, str | None]:
    return given.user or means.open_settings.read(USER), given.email or means.open_settings.read(EMAIL)


def _ask_name(name: str | None, email: str | None, login: str, address: str, questions: Questions) -> tuple[str, str]:
    return (
        name or questions.text("GitHub Continuous Deployment user name", "--user", login),
        email or questions.text("GitHub Continuous Deployment user email", "--email", address),
    )


def _settings(means: InitContext, name: str, email: str, **credentials: object) -> Settings:
    """With these credentials, and no others that are kept."""
    none = {"github_token": SecretStr(""), "github_app_id": "", "github_app_key_file": None, "deploy_keys": {}}
    return means.settings.model_copy(update={**none, "github_user": name, "github_email": email, **credentials})
