"""`dppctl init --remove`: undo what init made for an app. Its ops repo and what is deployed stay."""

from dataclasses import dataclass

from bot.model.app_config import parse_app_config
from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import Target, parse_registration
from cli.errors import InputError
from cli.init.app import App
from cli.init.context import ADDRESS, Answers, InitContext
from cli.init.identity.find import find_maker
from cli.init.registration import without_app
from cli.init.steps.deploy_key import DeployKeyStep, kept_keys
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.github_app import NotInstalledError
from cli.init.steps.step import Change, Step, run
from cli.init.steps.webhook import OldWebhookStep, WebhookStep


def undo(app: App, answers: Answers, context: InitContext) -> int:
    """Return how many changes there were. Raises InputError, DppctlError and GithubException.

    The registration goes last, for it says which the ops repos are.
    """
    registration = context.config / REGISTRATION_FILE
    text = read_text(registration) or ""
    targets = parse_registration(text, str(registration)) if text else frozenset()
    others = {target for target in targets if target.app != app.path}
    used = {name for target in others for name in (target.app.repository, target.ops.repository)}
    unused = [name for name in _repositories(app, targets) if name not in used]
    keys = [name for name in unused if name.lower() in kept_keys(context.secrets)]
    if keys and not answers.owner_token:
        raise InputError("to delete the deploy key it takes a token of the owner's; give --owner-token-file")
    steps: list[Step] = []
    if any(target.app.repository == app.path.repository for target in others):
        context.say(f"the webhook of {app.path.repository} stays: other apps in it are deployed")
    else:
        steps += _webhooks(app, answers, context)
    for name in keys:
        owner = context.github(answers.owner_token or "")
        steps.append(_KeyRemoval(DeployKeyStep(owner, name, context.secrets, context.settings)))
    if text:
        left = without_app(text, str(registration), app.path)
        steps.append(FileStep(registration, left, f"the registration without {app.path}"))
    changes = run(steps, context.say, dry_run=answers.dry_run)
    context.say(f"{app.config_file}, the ops repo and what is deployed stay as they are")
    return changes


def _repositories(app: App, targets: frozenset[Target]) -> list[str]:
    """Return the app's own and its ops repos, as registered or as its file says."""
    names = {app.path.repository: None}
    names |= {target.ops.repository: None for target in sorted(targets) if target.app == app.path}
    if text := read_text(app.config_file):
        config = parse_app_config(text, str(app.config_file))
        names |= {ops.repository: None for ops, _ in config.actions(app.path)}
    return list(names)


def _webhooks(app: App, answers: Answers, context: InitContext) -> list[Step]:
    """Return the steps that delete the app's webhooks, at the address that is kept and at the one that is given."""
    repository = app.path.repository
    try:
        github = find_maker(repository, answers, context)
    except NotInstalledError as error:
        context.say(f"the webhook of {repository} stays as it is, if there is one: {error}")
        return []
    addresses = [found for found in (answers.address, context.open_settings.read(ADDRESS)) if found]
    if github is None or not addresses:
        missing = "--token-file" if github is None else "--url"
        raise InputError(f"nothing is kept of the webhook of {repository}; give {missing} to find it")
    webhooks = [WebhookStep(github, repository, address, context.secrets) for address in dict.fromkeys(addresses)]
    return [OldWebhookStep(webhook) for webhook in {webhook.url: webhook for webhook in webhooks}.values()]


@dataclass(frozen=True)
class _KeyRemoval:
    """The deploy key is gone: on GitHub, where the repository can be changed, and from where it was kept."""

    step: DeployKeyStep

    def observe(self) -> Change | str:
        """Look whether it is kept; a change deletes it."""
        what = f"the deploy key of {self.step.repository}"
        return Change(f"delete {what}", self.step.remove) if self.step.exists() else f"no longer there: {what}"
