"""`dppctl init --remove`: takes back what init made for an app. Its ops repo and what is deployed stay."""

from collections.abc import Callable
from dataclasses import dataclass

from github import Github

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


def undo(app: App, given: Answers, means: InitContext) -> int:
    """How many changes there were. Raises InputError, DppctlError and GithubException.

    The registration goes last, for it says what else there is.
    """
    registration = means.config / REGISTRATION_FILE
    text = read_text(registration) or ""
    targets = parse_registration(text, str(registration)) if text else frozenset()
    others = {target for target in targets if target.app != app.path}
    used = {name for one in others for name in (one.app.repository, one.ops.repository)}
    mine = [name for name in _repositories(app, targets) if name not in used]
    keys = [name for name in mine if name.lower() in kept_keys(means.secrets)]
    address = given.address or means.open_settings.read(ADDRESS)
    github = find_maker(app.path.repository, given, means)
    if keys and not given.owner_token:
        raise InputError("to delete the deploy key it takes a token of the owner's; give --owner-token-file")
    if github is None or address is None:
        missing = "--token-file" if github is None else "--url"
        raise InputError(f"nothing is kept of the webhook of {app.path.repository}; give {missing} to find it")
    steps: list[Step] = []
    if any(one.app.repository == app.path.repository for one in others):
        means.say(f"the webhook of {app.path.repository} stays: other apps in it are deployed")
    else:
        steps.append(_no_webhook(WebhookStep(github, app.path.repository, address, means.secrets)))
    steps += [_no_key(github, name, means) for name in keys]
    if text:
        left = without_app(text, str(registration), app.path)
        steps.append(FileStep(registration, left, f"the registration without {app.path}"))
    changes = run(steps, means.say, dry_run=given.dry_run)
    means.say(f"{app.config_file}, the ops repo and what is deployed stay as they are")
    return changes


def _repositories(app: App, targets: frozenset[Target]) -> list[str]:
    """The app's own and its ops repos, as registered or as its file says."""
    names = {app.path.repository: None}
    names |= {target.ops.repository: None for target in sorted(targets) if target.app == app.path}
    if text := read_text(app.config_file):
        config = parse_app_config(text, str(app.config_file))
        names |= {ops.repository: None for ops, _ in config.actions(app.path)}
    return list(names)


@dataclass(frozen=True)
class _Gone:
    """Something that init made is not there any more."""

    what: str
    is_there: Callable[[], bool]
    remove: Callable[[], None]

    def look(self) -> Change | str:
        """Only ours."""
        return Change(f"delete {self.what}", self.remove) if self.is_there() else f"no longer there: {self.what}"


def _no_webhook(step: WebhookStep) -> Step:
    return _Gone(f"the webhook {step.url} on {step.repository}", step.is_there, step.remove)


def _no_key(github: Github, repository: str, means: InitContext) -> Step:
    step = DeployKeyStep(github, repository, means.secrets, means.settings)
    return _Gone(f"the deploy key of {repository}", step.is_there, step.remove)
