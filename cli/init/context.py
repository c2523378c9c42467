"""What all of `dppctl init` gets: the answers that flags have given, and what the steps work with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from github import Auth, Github

from bot.limits import GITHUB_SECONDS
from bot.settings import Settings
from cli.init.secret_stores import EnvFile, SecretStore

ADDRESS = "DPPCTL_PUBLIC_URL"


@dataclass(frozen=True)
class Answers:
    """What flags, files and variables answer; None: not given."""

    provider: str | None
    ops_repo: str | None
    staging: str
    production: str
    address: str | None
    token: str | None  # the machine user's
    owner_token: str | None
    gh: bool  # the owner's token is gh's
    app_id: str | None
    app_key: str | None  # PEM
    deploy_key: bool
    user: str | None
    email: str | None
    rotate_secret: bool
    dry_run: bool


@dataclass(frozen=True)
class InitContext:
    """What init works with: settings, clients, stores, and the output."""

    settings: Settings
    config: Path  # the servers' folder, with apps.yaml
    secrets: SecretStore
    open_settings: EnvFile  # for what is no secret
    say: Callable[[str], None]  # prints a line

    def github(self, token: str) -> Github:
        """Return a client of GitHub's API with this token."""
        return github_client(self.settings, token)


def github_client(settings: Settings, token: str) -> Github:
    """Return a client of GitHub's API with this token, "" for none.

    A person waits, and init makes a handful of calls: no pause between them, and an error is said at once.
    """
    return Github(
        auth=Auth.Token(token) if token else None,
        base_url=settings.github.api_url,
        timeout=GITHUB_SECONDS,
        verify=settings.github.verify,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
