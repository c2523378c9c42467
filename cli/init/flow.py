"""`dppctl init`, from the first question to the last line: read it top to bottom."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from github import Github

from bot.app_config import AppConfig, parse_app_config
from bot.git import Git
from bot.names import RepoPath
from bot.registration import REGISTRATION_FILE, Target
from bot.settings import Settings
from cli.errors import InputError
from cli.init.access import MachineUserStep, find_repository
from cli.init.app import App
from cli.init.ask import Questions
from cli.init.chart_values import VALUES_FILE, Installation, chart_values
from cli.init.cluster import NamespaceStep
from cli.init.config_file import Wish, difference, edited_file, new_file
from cli.init.files import FileStep, read_text
from cli.init.machine_user import STEPS, Access
from cli.init.ops_repo import RepositoryStep, TemplateStep
from cli.init.registration import with_app
from cli.init.secret_places import EnvFile, Keyring, SecretPlace
from cli.init.server_settings import GenerateStep, KeepStep
from cli.init.steps import Step, run
from cli.init.webhook import SecretStep, WebhookStep
from cli.ops_repo_files import OpsEnvironment
from cli.providers import Provider
from cli.providers.kubeconfig import Kubeconfig
from cluster.sync.helm.wanted import release_name

TOKEN, USER, EMAIL, ADDRESS = "DPPCTL_GITHUB_TOKEN", "DPPCTL_GITHUB_USER", "DPPCTL_GITHUB_EMAIL", "DPPCTL_PUBLIC_URL"


@dataclass(frozen=True)
class Given:
    """What flags and files have answered already."""

    provider: str | None
    ops_repo: str | None
    staging: str
    production: str
    address: str | None
    token: str | None
    owner_token: str | None
    user: str | None
    email: str | None
    rotate_secret: bool
    dry_run: bool


@dataclass(frozen=True)
class Means:
    """What init works with."""

    settings: Settings
    client: Callable[[str], Github]  # for a token
    git: Callable[[str, str, str], Git]  # for a token, a user and an e-mail address
    config: Path  # the servers' folder, with apps.yaml
    secrets: SecretPlace
    open_settings: EnvFile  # for what is no secret
    say: Callable[[str], None]


@dataclass(frozen=True)
class MachineUser:
    """Whose name the bot has."""

    token: str
    name: str
    email: str


def set_up(app: App, provider: Provider, given: Given, questions: Questions, means: Means) -> int:
    """How many changes there were. Raises InputError, BotError and GithubException."""
    config_step, config = _app_config(app, provider, given, questions, means)
    ops_repos = {ops for ops, _ in config.actions(app.path)}
    if len(ops_repos) != 1:
        raise InputError(f"{app.config_file}: {app.path} has actions for several ops repos; keep one")
    (ops,) = ops_repos
    environments = [action.environment for _, action in config.actions(app.path)]
    user = _machine_user(app.path, ops, given, questions, means)
    address = given.address or means.open_settings.read(ADDRESS)
    if address is None:
        address = questions.text("Address of dppctl's receiver, as GitHub reaches it (https://…)", "--url")
    if not address.startswith(("https://", "http://")):
        raise InputError(f"the address {address[:100]!r} is no URL; write https://HOST")
    cluster = provider if isinstance(provider, Kubeconfig) else None
    namespaces = {one: f"{cluster.namespace if cluster else 'dppctl'}-{one}" for one in environments}
    steps = _steps(app, ops, namespaces, user, address, given, means)
    if cluster:
        steps += _cluster_steps(app, ops, namespaces, user, address, cluster, means)
    changes = run([config_step, *steps], means.say, dry_run=given.dry_run)
    means.say(f"next: {_start(cluster, means)}; then commit and push {app.config_file.name}")
    for line in last_lines(app.path, config):
        means.say(line)
    return changes


def _start(cluster: Kubeconfig | None, means: Means) -> str:
    if cluster is None:
        return f"start dppctl's servers, if they do not run (dppctl up --config {means.config})"
    values = f"--values {means.config / VALUES_FILE}"
    return f"install dppctl's servers (helm upgrade --install dppctl charts/dppctl -n {cluster.namespace} {values})"


def _cluster_steps(
    app: App,
    ops: RepoPath,
    namespaces: dict[str, str],
    user: MachineUser,
    address: str,
    cluster: Kubeconfig,
    means: Means,
) -> list[Step]:
    """What dppctl's chart needs besides."""
    file = means.config / VALUES_FILE
    wanted = Installation(app.path, ops, namespaces, user.name, user.email, address)
    generated = ("DPPCTL_SYNC_TOKEN", "DPPCTL_DATABASE_PASSWORD")
    return [
        *(NamespaceStep(cluster, name) for name in namespaces.values()),
        GenerateStep(means.secrets, generated, "the secrets that dppctl's servers share"),
        FileStep(file, chart_values(read_text(file), str(file), wanted), "the values of dppctl's chart"),
    ]


def last_lines(app: RepoPath, config: AppConfig) -> list[str]:
    """What a push does from now on."""
    lines = []
    for ops, action in config.actions(app):
        chosen = action.pipeline if isinstance(action.pipeline, str) else ", ".join(action.pipeline)
        if action.branch:
            what = f"commits to {action.branch} branch of {app}"
        else:
            tags = f" that match {action.tags}" if isinstance(action.tags, str) else ""
            what = f"published tags{tags} of {app}"
        begin = f"setting up continuous deployment of '{chosen}' pipelines on {what}"
        lines.append(f"{begin} to {action.environment} environment of ops repo {ops}")
    return lines


def _app_config(
    app: App, provider: Provider, given: Given, questions: Questions, means: Means
) -> tuple[Step, AppConfig]:
    """The app's file as it is to be, shown and agreed to."""
    before = read_text(app.config_file)
    there = parse_app_config(before, str(app.config_file)) if before is not None else AppConfig()
    ops = next((ops for ops, _ in there.actions(app.path)), None)
    if ops is None:
        default = f"{app.path.repository}-ops"
        ops = RepoPath.parse(given.ops_repo or questions.text("Ops repository (OWNER/REPO)", "--ops-repo", default))
    elif given.ops_repo and RepoPath.parse(given.ops_repo) != ops:
        raise InputError(f"{app.config_file} deploys to {ops}; change it there, or leave out --ops-repo")
    wish = Wish(
        given.provider, provider.settings() if given.provider else {}, app.path, ops, app.branch, given.staging,
        given.production,
    )  # fmt: skip
    if before is None:
        after = new_file(wish, app.specs, app.has_dockerfile)
        means.say(f"{app.config_file} is to be:\n\n{after}")
    else:
        after = edited_file(before, str(app.config_file), wish)
        if after != before:
            means.say(difference(before, after, str(app.config_file)))
    if after != before and not given.dry_run and not questions.confirm(f"Write it to {app.config_file}?"):
        raise InputError("nothing was changed")
    step = FileStep(app.config_file, after, "which push deploys what")
    return step, parse_app_config(after, str(app.config_file))


def _machine_user(app: RepoPath, ops: RepoPath, given: Given, questions: Questions, means: Means) -> MachineUser:
    """Asked for what is kept nowhere yet."""
    token = given.token or means.secrets.read(TOKEN)
    if token is None:
        web = means.settings.github_url
        means.say(STEPS.format(web=web, app=app.repository, ops=ops.repository))
        token = questions.secret("GitHub Auth Token", "--token-file")
    name, email = given.user or means.open_settings.read(USER), given.email or means.open_settings.read(EMAIL)
    if name is None or email is None:
        account = means.client(token).get_user()
        address = f"{account.id}+{account.login}@users.noreply.github.com"
        name = name or questions.text("GitHub Continuous Deployment user name", "--user", account.login)
        email = email or questions.text("GitHub Continuous Deployment user email", "--email", address)
    return MachineUser(token, name, email)


def _steps(
    app: App, ops: RepoPath, namespaces: dict[str, str], user: MachineUser, address: str, given: Given, means: Means
) -> list[Step]:
    theirs = means.client(user.token)
    owner = means.client(given.owner_token) if given.owner_token else None
    # On a dry run nobody can look into what would be made.
    is_there = not given.dry_run or find_repository(owner or theirs, ops.repository) is not None
    needed: dict[str, Access] = {app.path.repository: "write", **({ops.repository: "write"} if is_there else {})}
    registration = means.config / REGISTRATION_FILE
    registered = with_app(read_text(registration), str(registration), app.path, ops, list(namespaces))
    url = means.settings.repository_url(ops.repository)
    places = [
        OpsEnvironment(name, namespace, release_name(Target(app.path, ops, name)))
        for name, namespace in namespaces.items()
    ]
    known = {USER: user.name, EMAIL: user.email, ADDRESS: address}
    if isinstance(means.secrets, Keyring):
        known["DPPCTL_KEYRING"] = means.secrets.service
    return [
        RepositoryStep(owner or theirs, ops.repository),
        MachineUserStep(theirs, owner, needed),
        TemplateStep(means.git(user.token, user.name, user.email), url, ops, places, is_there),
        KeepStep(means.secrets, {TOKEN: user.token}, "the machine user's token"),
        KeepStep(means.open_settings, known, "the servers' settings"),
        SecretStep(means.secrets, given.rotate_secret),
        FileStep(registration, registered, "the registration of the app"),
        WebhookStep(owner or theirs, app.path.repository, address, means.secrets),
    ]
