"""`dppctl init`, from the first question to the last line: read it top to bottom."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bot.git.command import Git
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.file_names import REGISTRATION_FILE
from bot.model.names import RepoPath
from bot.model.previews import PREVIEWS
from bot.model.registration import Target, read_registration
from cli.errors import InputError
from cli.init.app import App
from cli.init.chart_values import Installation
from cli.init.config_file import WantedConfig, difference, edited_file, new_file
from cli.init.context import ADDRESS, Answers, InitContext
from cli.init.identity.find import EMAIL, USER, Identity, find_identity
from cli.init.ops_repo_template import OpsEnvironment
from cli.init.prompts import Questions
from cli.init.registration import with_app
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.ops_repo import TemplateStep
from cli.init.steps.repository import RepositoryStep, check_repository, find_repository
from cli.init.steps.settings import SettingsStep
from cli.init.steps.step import Step, run
from cli.init.steps.webhook import MovedWebhookStep, OldWebhookStep, WebhookStep
from cli.init.steps.webhook_secret import WebhookSecretStep
from cli.prerequisites.machine import git_author
from cli.providers.provider import Provider
from cluster.sync.helm.desired import release_name

NO_ADDRESS = "none"
_WITHOUT_ADDRESS = (
    "Without an address GitHub tells nobody of pushes: dppctl looks every three minutes (DPPCTL_RESYNC_SECONDS). "
    "`dppctl init --url https://HOST` adds the webhook when there is one"
)


def set_up(app: App, provider: Provider, answers: Answers, questions: Questions, context: InitContext) -> int:
    """Set up the app's continuous deployment; return how many changes there were.

    Raises InputError, DppctlError and GithubException.
    """
    config_step, config = _app_config(app, provider, answers, questions, context)
    ops_repos = {ops for ops, _ in config.actions(app.path)}
    if len(ops_repos) != 1:
        raise InputError(f"{app.config_file}: {app.path} has actions for several ops repos; keep one")
    (ops,) = ops_repos
    environments = [action.environment or PREVIEWS for _, action in config.actions(app.path)]
    identity = find_identity(app, ops, answers, questions, context)
    if repository := find_repository(identity.maker, app.path.repository):
        where = f"the remote `origin` (git remote set-url origin URL) or --repo, {app.config_file.name} and apps.yaml"
        check_repository(repository, app.path.repository, where)
    address = answers.address or context.open_settings.read(ADDRESS)
    if address is None:
        question = "Address of dppctl's receiver, as GitHub reaches it (https://…)"
        if provider.needs_address:
            address = questions.text(question, "--url")
        elif _is_registered(context.config / REGISTRATION_FILE, app.path):
            address = NO_ADDRESS  # as was answered before
        else:
            address = questions.text(f"{question}; none: it looks by itself", "--url", NO_ADDRESS)
    if address == NO_ADDRESS:
        address = ""
        context.say(_WITHOUT_ADDRESS)
    elif not address.startswith(("https://", "http://")):
        raise InputError(f"the address {address[:100]!r} is no URL; write https://HOST")
    namespaces = {name: provider.environment_namespace(name.replace("*", "branches")) for name in environments}
    github = {"user": identity.name, "email": identity.email, **identity.chart}
    installation = Installation(app.path, ops, namespaces, github, address)
    steps = [
        config_step,
        *_steps(installation, identity, answers, context),
        *provider.steps(installation, context.config, context.secrets),
    ]
    changes = run(steps, context.say, dry_run=answers.dry_run)
    context.say(f"next: {provider.next_step(context.config)}; then commit and push {app.config_file.name}")
    for line in (*_afterwards(app, identity), *last_lines(app.path, config)):
        context.say(line)
    return changes


def _afterwards(app: App, identity: Identity) -> Iterator[str]:
    """Yield what a person needs to know beside what was done."""
    if author := git_author(app.folder):
        yield f"before you commit: {author.get} ({author.what})"
    if not identity.reports:
        yield "GitHub is not told of deployments: that takes a token or a GitHub App"


def last_lines(app: RepoPath, config: AppConfig) -> list[str]:
    """Return a line for each action of the app: what a push does from now on."""
    lines = []
    for ops, action in config.actions(app):
        chosen = action.pipeline if isinstance(action.pipeline, str) else ", ".join(action.pipeline)
        if action.branch:
            what = f"commits to {action.branch} branch of {app}"
        elif action.branches:
            what = f"branches of {app} that match {action.branches}"
        else:
            tags = f" that match {action.tags}" if isinstance(action.tags, str) else ""
            what = f"published tags{tags} of {app}"
        begin = f"setting up continuous deployment of '{chosen}' pipelines on {what}"
        where = f"{action.environment} environment" if action.environment else "a preview environment for each"
        lines.append(f"{begin} to {where} of ops repo {ops}")
    return lines


def _app_config(
    app: App, provider: Provider, answers: Answers, questions: Questions, context: InitContext
) -> tuple[Step, AppConfig]:
    """Show the app's file as it shall be, and ask; return the step that writes it, and what it says then."""
    before = read_text(app.config_file)
    existing = parse_app_config(before, str(app.config_file)) if before is not None else AppConfig()
    ops = next((ops for ops, _ in existing.actions(app.path)), None)
    if ops is None:
        default = f"{app.path.repository}-ops"
        ops = RepoPath.parse(answers.ops_repo or questions.text("Ops repository (OWNER/REPO)", "--ops-repo", default))
    elif answers.ops_repo and RepoPath.parse(answers.ops_repo) != ops:
        raise InputError(f"{app.config_file} deploys to {ops}; change it there, or leave out --ops-repo")
    wish = WantedConfig(
        provider=answers.provider,
        settings=provider.settings() if answers.provider else {},
        app=app.path,
        ops=ops,
        branch=app.branch,
        staging=answers.staging,
        production=answers.production,
    )
    if before is None:
        after = new_file(wish, app.specs, app.has_dockerfile)
        context.say(f"{app.config_file} is to be:\n\n{after}")
    else:
        after = edited_file(before, str(app.config_file), wish)
        if after != before:
            context.say(difference(before, after, str(app.config_file)))
    if after != before and not answers.dry_run and not questions.confirm(f"Write it to {app.config_file}?"):
        raise InputError("nothing was changed")
    step = FileStep(app.config_file, after, "which push deploys what")
    return step, parse_app_config(after, str(app.config_file))


def _is_registered(registration: Path, app: RepoPath) -> bool:
    return registration.exists() and any(target.app == app for target in read_registration(registration))


def _other_apps(registration: Path, repository: str) -> list[str]:
    """Return the repositories of the other apps that the same servers serve."""
    targets = read_registration(registration) if registration.exists() else frozenset()
    return sorted({target.app.repository for target in targets} - {repository})


def _steps(installation: Installation, identity: Identity, answers: Answers, context: InitContext) -> list[Step]:
    """Return the steps that are the same for every provider, in their order."""
    app, ops, settings = installation.app, installation.ops, identity.settings
    # On a dry run nobody can look into what would be made.
    exists = not answers.dry_run or find_repository(identity.maker, ops.repository) is not None
    registration = context.config / REGISTRATION_FILE
    registered = with_app(read_text(registration), str(registration), app, ops, list(installation.namespaces))
    environments = [
        OpsEnvironment(name, namespace, release_name(Target(app, ops, name)))
        for name, namespace in installation.namespaces.items()
    ]
    previous = context.open_settings.read(ADDRESS) or installation.address
    known = {USER: identity.name, EMAIL: identity.email, **identity.known}
    known |= {ADDRESS: previous} if previous else {}
    webhook = WebhookStep(identity.maker, app.repository, installation.address, context.secrets)
    moved: list[Step] = []
    if previous != installation.address:  # the old one is known until nothing is sent there any more
        old = WebhookStep(identity.maker, app.repository, previous, context.secrets)
        moved = [OldWebhookStep(old)] if old.url != webhook.url else []
        for other in _other_apps(registration, app.repository) if moved else ():
            moved.append(MovedWebhookStep(replace(old, repository=other), replace(webhook, repository=other)))
        moved += [SettingsStep(context.open_settings, {ADDRESS: installation.address}, "the receiver's address")]
    keep = [SettingsStep(context.secrets, identity.secrets, identity.what)] if identity.secrets else []
    return [
        RepositoryStep(identity.maker, ops.repository),
        *identity.access,
        TemplateStep(
            Git(settings, searches=True), settings.github.repository_url(ops.repository), ops, environments, exists
        ),
        *keep,
        SettingsStep(context.open_settings, {**known, **context.secrets.settings()}, "the servers' settings"),
        WebhookSecretStep(
            context.secrets, webhook.exists if installation.address else lambda: False, answers.rotate_secret
        ),
        FileStep(registration, registered, "the registration of the app"),
        *([webhook] if installation.address else []),
        *moved,
    ]
