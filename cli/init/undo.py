"""`dppctl init --remove`: takes back what init made for an app. Its ops repo and what is deployed stay."""

from bot.registration import REGISTRATION_FILE
from cli.errors import InputError
from cli.init.app import App
from cli.init.files import FileStep, read_text
from cli.init.flow import ADDRESS, TOKEN, Given, Means
from cli.init.registration import without_app
from cli.init.steps import Change, Step, run
from cli.init.webhook import WebhookStep


def undo(app: App, given: Given, means: Means) -> int:
    """How many changes there were. Raises InputError, BotError and GithubException."""
    registration = means.config / REGISTRATION_FILE
    steps: list[Step] = []
    if text := read_text(registration):
        left = without_app(text, str(registration), app.path)
        steps.append(FileStep(registration, left, f"the registration without {app.path}"))
    token = given.owner_token or given.token or means.secrets.read(TOKEN)
    address = given.address or means.open_settings.read(ADDRESS)
    if token is None or address is None:
        missing = "--token-file" if token is None else "--url"
        raise InputError(f"nothing is kept of the webhook of {app.path.repository}; give {missing} to find it")
    steps.append(_NoWebhook(WebhookStep(means.client(token), app.path.repository, address, means.secrets)))
    changes = run(steps, means.say, dry_run=given.dry_run)
    means.say(f"{app.config_file}, the ops repo and what is deployed stay as they are")
    return changes


class _NoWebhook:
    """The webhook is gone."""

    def __init__(self, step: WebhookStep) -> None:
        self._step = step

    def look(self) -> Change | str:
        """Only ours: the one with the receiver's address."""
        if not self._step.is_there():
            return f"no webhook {self._step.url} on {self._step.repository}"
        return Change(f"delete the webhook {self._step.url} on {self._step.repository}", self._step.remove)
