"""`dppctl init --remove`: undo what init made for an app. Its ops repo and what is deployed stay."""

from dataclasses import dataclass

from bot.model.app_config import parse_app_config
from bot.model.registration import REGISTRATION_FILE, Target, parse_registration
from cli.errors import InputError
from cli.init.app import App
from cli.init.context import ADDRESS, Answers, InitContext
from cli.init.identity.find import find_maker
from cli.init.registration import without_app
from cli.init.steps.deploy_key import DeployKeyStep, kept_keys
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.step import Change, Step, run
from cli.init.steps.webhook import WebhookStep


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
    address = answers.address or context.open_settings.read(ADDRESS)
    github = find_maker(app.path.repository, answers, context)
    if keys and not answers.owner_token:
        raise InputError("to delete the deploy key it takes a token of the owner's; give --owner-token-file")
    if github is None or address is None:
        missing = "--token-file" if github is None else "--url"
        raise InputError(f"nothing is kept of the webhook of {app.path.repository}; give {missing} to find it")
    steps: list[Step] = []
    if any(target.app.repository == app.path.repository for target in others):
        context.say(f"the webhook of {app.path.repository} stays: other apps in it are deployed")
    else:
        webhook = WebhookStep(github, app.path.repository, address, context.secrets)
        steps.append(_Removal(webhook, f"the webhook {webhook.url} on {webhook.repository}"))
    for name in keys:
        key = DeployKeyStep(github, name, context.secrets, context.settings)
        steps.append(_Removal(key, f"the deploy key of {name}"))
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


@dataclass(frozen=True)
class _Removal:
    """Something that init made is gone."""

    step: WebhookStep | DeployKeyStep
    what: str

    def observe(self) -> Change | str:
        """Look for it; a change deletes it."""
        if self.step.exists():
            return Change(f"delete {self.what}", self.step.remove)
        return f"no longer there: {self.what}"
