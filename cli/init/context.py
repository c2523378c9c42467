"""What `dppctl init` is given, and what it works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from github import Github

from bot.settings import Settings
from cli.init.secret_stores import EnvFile, SecretStore

ADDRESS = "DPPCTL_PUBLIC_URL"


@dataclass(frozen=True)
class Answers:
    """What flags and files have answered already."""

    provider: str | None
    ops_repo: str | None
    staging: str
    production: str
    address: str | None
    token: str | None  # the machine user's
    owner_token: str | None
    app_id: str | None
    app_key: str | None  # PEM
    deploy_key: bool
    user: str | None
    email: str | None
    rotate_secret: bool
    dry_run: bool


@dataclass(frozen=True)
class InitContext:
    """What init works with."""

    settings: Settings
    client: Callable[[str], Github]  # for a token
    config: Path  # the servers' folder, with apps.yaml
    secrets: SecretStore
    open_settings: EnvFile  # for what is no secret
    say: Callable[[str], None]
