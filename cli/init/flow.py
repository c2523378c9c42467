"""`dppctl init`, from the first question to the last line: read it top to bottom."""

from bot.git.command import Git
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.names import RepoPath
from bot.model.registration import REGISTRATION_FILE, Target
from cli.errors import InputError
from cli.init.app import App
from cli.init.chart_values import VALUES_FILE, Installation, chart_values
from cli.init.config_file import Wish, difference, edited_file, new_file
from cli.init.context import ADDRESS, Answers, InitContext
from cli.init.identity.find import EMAIL, USER, Identity, find_identity
from cli.init.ops_repo_template import OpsEnvironment
from cli.init.prompts import Questions
from cli.init.registration import with_app
from cli.init.secret_stores import Keyring
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.machine_user import find_repository
from cli.init.steps.namespace import NamespaceStep
from cli.init.steps.ops_repo import RepositoryStep, TemplateStep
from cli.init.steps.settings import GenerateStep, KeepStep
from cli.init.steps.step import Step, run
from cli.init.steps.webhook import SecretStep, WebhookStep
from cli.providers import Provider
from cli.providers.kubeconfig import Kubeconfig
from cluster.sync.helm.desired import release_name


def set_up(app: App, provider: Provider, given: Answers, questions: Questions, means: InitContext) -> int:
    """How many changes there were. Raises InputError, DppctlError and GithubException."""
    config_step, config = _app_config(app, provider, given, questions, means)
    ops_repos = {ops for ops, _ in config.actions(app.path)}
    if len(ops_repos) != 1:
        raise InputError(f"{app.config_file}: {app.path} has actions for several ops repos; keep one")
    (ops,) = ops_repos
    environments = [action.environment for _, action in config.actions(app.path)]
    identity = find_identity(app, ops, given, questions, means)
    address = given.address or means.open_settings.read(ADDRESS)
    if address is None:
        address = questions.text("Address of dppctl's receiver, as GitHub reaches it (https://…)", "--url")
    if not address.startswith(("https://", "http://")):
        raise InputError(f"the address {address[:100]!r} is no URL; write https://HOST")
    cluster = provider if isinstance(provider, Kubeconfig) else None
    namespaces = {one: f"{cluster.namespace if cluster else 'dppctl'}-{one}" for one in environments}
    steps = _steps(app, ops, namespaces, identity, address, given, means)
    if cluster:
        steps += _cluster_steps(app, ops, namespaces, identity, address, cluster, means)
    changes = run([config_step, *steps], means.say, dry_run=given.dry_run)
    means.say(f"next: {_start(cluster, means)}; then commit and push {app.config_file.name}")
    if not identity.tells:
        means.say("GitHub is not told of deployments: that takes a machine user's token or a GitHub App")
    for line in last_lines(app.path, config):
        means.say(line)
    return changes


def _start(cluster: Kubeconfig | None, means: InitContext) -> str:
    if cluster is None:
        return f"start dppctl's servers, if they do not run (dppctl up --config {means.config})"
    values = f"--values {means.config / VALUES_FILE}"
    return f"install dppctl's servers (helm upgrade --install dppctl charts/dppctl -n {cluster.namespace} {values})"


def _cluster_steps(
    app: App,
    ops: RepoPath,
    namespaces: dict[str, str],
    identity: Identity,
    address: str,
    cluster: Kubeconfig,
    means: InitContext,
) -> list[Step]:
    """What dppctl's chart needs besides."""
    file = means.config / VALUES_FILE
    github = {"user": identity.name, "email": identity.email, **identity.chart}
    wanted = Installation(app.path, ops, namespaces, github, address)
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
    app: App, provider: Provider, given: Answers, questions: Questions, means: InitContext
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


def _steps(
    app: App,
    ops: RepoPath,
    namespaces: dict[str, str],
    identity: Identity,
    address: str,
    given: Answers,
    means: InitContext,
) -> list[Step]:
    maker, settings = identity.maker, identity.settings
    # On a dry run nobody can look into what would be made.
    is_there = not given.dry_run or find_repository(maker, ops.repository) is not None
    registration = means.config / REGISTRATION_FILE
    registered = with_app(read_text(registration), str(registration), app.path, ops, list(namespaces))
    places = [
        OpsEnvironment(name, namespace, release_name(Target(app.path, ops, name)))
        for name, namespace in namespaces.items()
    ]
    known = {USER: identity.name, EMAIL: identity.email, ADDRESS: address, **identity.known}
    if isinstance(means.secrets, Keyring):
        known["DPPCTL_KEYRING"] = means.secrets.service
    keep = [KeepStep(means.secrets, identity.secrets, identity.what)] if identity.secrets else []
    return [
        RepositoryStep(maker, ops.repository),
        *identity.access,
        TemplateStep(Git(settings), settings.repository_url(ops.repository), ops, places, is_there),
        *keep,
        KeepStep(means.open_settings, known, "the servers' settings"),
        SecretStep(means.secrets, given.rotate_secret),
        FileStep(registration, registered, "the registration of the app"),
        WebhookStep(maker, app.path.repository, address, means.secrets),
    ]
