"""Reads the settings from a `.env` file, the environment and the system's keyring."""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from bot.errors import DppctlError
from bot.model.documents import read_text
from bot.settings.github import GitHubSettings
from bot.settings.settings import Settings
from bot.settings.variables import KEYRING, PREFIX, sections

# What the system's keyring may hold.
_IN_KEYRING = ("DPPCTL_GITHUB_TOKEN", "DPPCTL_GITHUB_APP_KEY", "DPPCTL_DEPLOY_KEYS", "DPPCTL_WEBHOOK_SECRETS")


def load_settings(config: Path, environment: Mapping[str, str] = os.environ, *, receives: bool = True) -> Settings:
    """Return the settings of `config/.env` and the environment. Raises DppctlError naming the variable that is wrong.

    `receives`: for something that takes webhooks, or works for what does; then there must be a secret.
    """
    given = {"DPPCTL_STATE_DIR": str(config / "state"), **read_variables(config, environment)}
    if service := given.get(KEYRING):
        given = {**_from_keyring(service), **given}
    try:
        settings = Settings.model_validate({**given, **dict.fromkeys(sections(), given)})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        variable = next(part for part in map(str, problem["loc"]) if part.startswith(PREFIX))
        raise _wrong(variable, problem["msg"].removeprefix("Value error, "), config) from None
    if receives and not settings.receiver.webhook_secrets:
        raise _wrong("DPPCTL_WEBHOOK_SECRETS", "is not set", config)
    if settings.github.app_id:
        _check_app(settings.github, config)
    return settings.model_copy(update={"state_dir": settings.state_dir.absolute()})


def read_variables(config: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Return our variables of `config/.env` and the environment, which wins. Raises DppctlError."""
    try:
        text = read_text(config / ".env")
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    given = {**dotenv_values(stream=StringIO(text)), **environment}
    return {name: value for name, value in given.items() if name.startswith(PREFIX)}


def _from_keyring(service: str) -> dict[str, str]:
    """Return the secrets that the keyring's service holds. Raises DppctlError when it does not answer."""
    import keyring  # slow, and rarely needed
    from keyring.errors import KeyringError

    try:
        found = {name: keyring.get_password(service, name) for name in _IN_KEYRING}
    except KeyringError as error:
        raise DppctlError(f"{KEYRING}: the system's keyring does not answer ({error}); unlock it") from None
    return {name: value for name, value in found.items() if value is not None}


def _check_app(github: GitHubSettings, config: Path) -> None:
    """Check the GitHub App's key now and not at the first push. Raises DppctlError."""
    if github.app_key.get_secret_value():
        variable, text = "DPPCTL_GITHUB_APP_KEY", github.app_private_key
    elif (file := github.app_key_file) is None:
        message = "is not set, nor DPPCTL_GITHUB_APP_KEY_FILE: the app's private key"
        raise _wrong("DPPCTL_GITHUB_APP_KEY", message, config)
    else:
        variable = "DPPCTL_GITHUB_APP_KEY_FILE"
        try:
            text = github.app_private_key
        except OSError as error:
            raise _wrong(variable, f"{file}: {error.strerror}", config) from None
    if "PRIVATE KEY-----" not in text:
        raise _wrong(variable, "is no private key in PEM form", config)


def _wrong(variable: str, message: str, config: Path) -> DppctlError:
    return DppctlError(f"{variable}: {message} (set it in the environment or in {config / '.env'})")
