"""The flags of `dppctl init` that are about runs, and about how people log in there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal, get_args

import click

from cli.errors import InputError

AuthMode = Literal["none", "token", "oauth"]
PROVIDERS = ("github", "google", "oidc")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = [
    click.option("--auth", type=click.Choice(get_args(AuthMode)), help="How people log in to runs. [default: token]"),
    click.option("--github-client-id", help="With --auth oauth: of an OAuth app at GitHub."),
    click.option("--google-client-id", help="Of an OAuth client at Google."),
    click.option("--oidc-client-id", help="Of another provider, such as Dex or Keycloak."),
    *(
        click.option(
            f"--{name}-client-secret-file",
            type=_FILE,
            help=f"Holds its secret; or DPPCTL_AUTH_{name.upper()}_CLIENT_SECRET does.",
        )
        for name in PROVIDERS
    ),
    click.option("--oidc-metadata-url", help="https://…/.well-known/openid-configuration of that provider."),
    click.option("--admin", "admins", multiple=True, help="Who may do everything: a login, or PROVIDER:ID."),
]
AUTH_FLAGS = (
    "--auth --github-client-id --google-client-id --oidc-client-id --github-client-secret-file"
    " --google-client-secret-file --oidc-client-secret-file --oidc-metadata-url --admin"
)


@dataclass(frozen=True)
class RunsFlags:
    """None: not given."""

    workers: int | None
    databases: int | None
    image: str | None
    worker_image: str | None
    cluster_name: str | None
    token_user: str | None
    wait: float | None  # seconds
    values: Path | None
    url: str | None = None  # where people reach it
    usage: bool | None = None  # limits, and a log of who did what


@dataclass(frozen=True)
class AuthFlags:
    """None: not given."""

    auth: AuthMode | None
    github_client_id: str | None
    google_client_id: str | None
    oidc_client_id: str | None
    github_client_secret_file: Path | None
    google_client_secret_file: Path | None
    oidc_client_secret_file: Path | None
    oidc_metadata_url: str | None
    admins: tuple[str, ...]

    def check_unused(self) -> None:
        """Raise InputError when any of them is given."""
        if any(getattr(self, name) for name in self.__dataclass_fields__):
            raise InputError("--auth and what goes with it are for --workers; for `dppctl up` set DPPCTL_AUTH_MODE")

    def client_id(self, provider: str) -> str:
        """Return what is given for a provider."""
        return getattr(self, f"{provider}_client_id") or ""

    def secret(self, provider: str) -> str:
        """Return the secret of a provider's client, from a file or the environment; "": not given."""
        file: Path | None = getattr(self, f"{provider}_client_secret_file")
        return (file.read_text(encoding="utf8") if file else os.environ.get(secret_variable(provider), "")).strip()


def with_auth_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags, as one argument `auth_flags`."""

    @wraps(command)
    def called(*arguments: Any, **given: Any) -> Any:
        flags = AuthFlags(**{name: given.pop(name) for name in AuthFlags.__dataclass_fields__})
        return command(*arguments, auth_flags=flags, **given)

    wrapped: Callable[..., Any] = called
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def secret_variable(provider: str) -> str:
    """Return how the secret of a provider's client is called among the settings."""
    return f"DPPCTL_AUTH_{provider.upper()}_CLIENT_SECRET"
