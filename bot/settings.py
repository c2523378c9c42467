"""The servers' settings: environment variables `DPPCTL_…`, read once into one object.

A `.env` file in the configuration folder is read first; the environment wins over it. Where DPPCTL_KEYRING names a
service of the system's keyring, secrets that neither has come from there (`dppctl init` puts them there).
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from bot.errors import DppctlError
from bot.limits import (
    BASE_IMAGE,
    BUILD_CACHE_BYTES,
    BUILD_SECONDS,
    MAX_DELIVERY_BYTES,
    REDELIVER_SECONDS,
    RESYNC_SECONDS,
)
from bot.model.deploy_keys import HostKey, parse_deploy_keys
from bot.model.names import Environment, Namespace

_PREFIX = "DPPCTL_"
# What the system's keyring may hold.
IN_KEYRING = ("DPPCTL_GITHUB_TOKEN", "DPPCTL_GITHUB_APP_KEY", "DPPCTL_DEPLOY_KEYS", "DPPCTL_WEBHOOK_SECRETS")
_Name = Annotated[str, Field(pattern=r"^[^<>\x00-\x1f]+$")]  # as git has names and addresses in a commit

_KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGT]i?|Ki)?$")]


class Settings(BaseModel):
    """Each field is the variable of that name: `github_url` is `DPPCTL_GITHUB_URL`."""

    model_config = ConfigDict(frozen=True)

    # Where repositories are: OWNER/REPO is cloned from <github_url>/OWNER/REPO.git. file:///folder works too.
    github_url: str = "https://github.com"
    github_token: SecretStr = SecretStr("")
    # Instead of the token: a GitHub App that is installed for the repositories' owners, and its private key (PEM).
    github_app_id: Annotated[str, Field(pattern=r"^[0-9]*$")] = ""
    github_app_key: SecretStr = SecretStr("")  # or in a file:
    github_app_key_file: Path | None = None
    # Deploy keys: for these repositories git goes by ssh. "OWNER/REPO=KEY,…", a KEY being base64 of OpenSSH's format.
    deploy_keys: dict[str, SecretStr] = {}
    github_ssh_url: Annotated[str, Field(pattern=r"^$|^ssh://[\w.-]+@[\w.-]+(:[0-9]+)?$")] = ""
    github_host_keys: tuple[HostKey, ...] = ()  # of the host there, separated by commas
    github_api_url: str = ""  # left out: what belongs to github_url
    github_statuses: bool | None = None  # show deployments on GitHub; left out: when GitHub can be asked at all
    github_redeliver_seconds: Annotated[float, Field(ge=0)] = REDELIVER_SECONDS  # between looks for lost ones; 0: none
    # Where people and GitHub reach the receiver and its pages; without it nothing links to them.
    public_url: str = ""
    # What an environment shows to the world: "staging=https://HOST/PATH,production=…"; {app} is the app's path.
    environment_urls: dict[str, str] = {}
    # Who commits to the ops repos, and pushes.
    github_user: _Name = "dppctl"
    github_email: _Name = "dppctl@users.noreply.github.com"
    # Separated by commas: while rotating, the old and the new one.
    webhook_secrets: tuple[SecretStr, ...] = ()
    # What sync shows when it reports. Left out, each start makes a new one, which is enough for `dppctl up`.
    sync_token: Annotated[SecretStr, Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))]
    state_dir: Path
    database_url: SecretStr = SecretStr("")  # default: SQLite in state_dir
    # Who deploys what the ops repos say: dppctl's own sync, or another (Argo CD, Flux) that sets commit statuses there.
    deployed_by: Literal["sync", "commit-status"] = "sync"
    sync_url: Annotated[str, Field(pattern=r"^$|^https?://[^\s/?#@]+$")] = ""  # of a `dppctl sync`, which the bot wakes
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080  # 0: any free one
    # Where what the environments publish is served, on 127.0.0.1. Left out: the port after `port`.
    storage_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    sync_concurrency: Annotated[int, Field(ge=1, le=64)] = 2  # environments that are deployed at a time
    # The sync that runs in a cluster (docs/sync.md).
    sync_environments: dict[Environment, Namespace] = Field(default_factory=dict)  # ENVIRONMENT=NAMESPACE, with commas
    receiver_url: Annotated[str, Field(pattern=r"^$|^https?://[^/@?#]+(/[^@?#]*)?$")] = ""  # where it reports to
    sync_prune: bool = False  # uninstall what the ops repo no longer names
    sync_drift: Literal["repair", "report", "off"] = "repair"  # what somebody changed by hand in the cluster
    sync_drift_seconds: Annotated[float, Field(gt=0)] = 300
    helm_seconds: Annotated[float, Field(gt=0)] = 600  # helm's own time limit for one change
    job_seconds: Annotated[float, Field(ge=0)] = 0  # of a deployment's Job; 0: its own activeDeadlineSeconds decides
    # Images. Without a registry apps run as they are, and one with a Dockerfile is refused.
    registry: Annotated[str, Field(pattern=r"^$|^[a-z0-9.:\[\]-]+(/[a-z0-9._-]+)*$")] = ""  # HOST[:PORT][/PREFIX]
    registry_auth_file: Path | None = None  # logins, as `docker login` writes them
    registry_ca: Path | None = None  # PEM, for look-ups and BuildKit; of a registry whose certificate is your own
    plain_http_registries: frozenset[str] = frozenset()  # HOST[:PORT] without TLS, separated by commas
    builder: str = "auto"  # bot/images/builders/choose.py
    build_seconds: Annotated[float, Field(gt=0)] = BUILD_SECONDS
    build_concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    build_cache_bytes: Annotated[int, Field(gt=0)] = BUILD_CACHE_BYTES
    # Where and how DPPCTL_BUILDER=buildkit builds; the amounts are Kubernetes' own, such as 500m and 4Gi.
    buildkit_namespace: _KubernetesName = "dppctl-builds"
    buildkit_image: _Name = "moby/buildkit:v0.16.0-rootless"
    buildkit_auth_secret: _KubernetesName | Literal[""] = ""  # of type kubernetes.io/dockerconfigjson
    buildkit_cpu: _Quantity = "500m"
    buildkit_memory: _Quantity = "4Gi"  # at most
    buildkit_disk: _Quantity = "20Gi"
    build_secrets_dir: Path | None = None  # its folders OWNER+REPO[+PATH] hold the apps' secrets, a file each
    base_image: str = BASE_IMAGE  # of the image that apps without a Dockerfile get
    max_delivery_bytes: Annotated[int, Field(gt=0)] = MAX_DELIVERY_BYTES
    resync_seconds: Annotated[float, Field(gt=0)] = RESYNC_SECONDS

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(filter(None, (part.strip() for part in value.split(","))))
        if not value:
            raise ValueError("is empty; GitHub's webhook page asks for a secret, put the same one here")
        return value

    @field_validator("deploy_keys", mode="before")
    @classmethod
    def _decode_keys(cls, value: object) -> object:
        return parse_deploy_keys(value) if isinstance(value, str) else value

    @field_validator("github_host_keys", mode="before")
    @classmethod
    def _split_host_keys(cls, value: object) -> object:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("plain_http_registries", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return frozenset(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("sync_environments", mode="before")
    @classmethod
    def _split_environments(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if any("=" not in part for part in parts):
            raise ValueError("expected ENVIRONMENT=NAMESPACE, separated by commas")
        return {environment: namespace for environment, _, namespace in (part.partition("=") for part in parts)}

    @field_validator("receiver_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("environment_urls", mode="before")
    @classmethod
    def _split_pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if not all(is_web(url) for _, _, url in pairs):
            raise ValueError("expected ENVIRONMENT=https://HOST/PATH, more of them separated by commas")
        return {name: url for name, _, url in pairs}

    @field_validator("public_url", "github_api_url")
    @classmethod
    def _is_web_url(cls, value: str) -> str:
        if value and not is_web(value):
            raise ValueError("expected https://HOST or http://HOST, without a password")
        return value.rstrip("/")

    @field_validator("github_url")
    @classmethod
    def _is_plain_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http", "ssh", "file") or parts.password or parts.query or parts.fragment:
            raise ValueError("expected https://HOST, ssh://USER@HOST or file:///FOLDER, without a password")
        return value.rstrip("/")

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the bot's own database."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.state_dir / 'dppctl.sqlite'}"

    @property
    def port_of_storages(self) -> int:
        """0: any free one."""
        if self.storage_port is None:
            return self.port + 1 if 0 < self.port < 65535 else 0
        return self.storage_port

    def repository_url(self, repository: str) -> str:
        """The only place where a repository's name becomes a URL: for ssh when it has a deploy key."""
        return f"{self.ssh_url if self.deploy_key(repository) else self.github_url}/{repository}.git"

    def deploy_key(self, repository: str) -> str | None:
        """The private key of OWNER/REPO, in OpenSSH's format."""
        found = self.deploy_keys.get(repository.lower())
        return found.get_secret_value() if found else None

    @property
    def ssh_url(self) -> str:
        """Where repositories are for ssh."""
        return self.github_ssh_url or f"ssh://git@{urlsplit(self.github_url).hostname}"

    @property
    def app_key(self) -> str:
        """The GitHub App's private key, PEM. Raises OSError when its file cannot be read."""
        return self.github_app_key.get_secret_value() or (
            self.github_app_key_file.read_text() if self.github_app_key_file else ""
        )

    @property
    def api_url(self) -> str:
        """GitHub's REST API. https://docs.github.com/en/enterprise-server/rest/quickstart has the second form."""
        own = "https://api.github.com" if self.github_url == "https://github.com" else f"{self.github_url}/api/v3"
        return self.github_api_url or own

    @property
    def asks_github(self) -> bool:
        """Is there a GitHub whose API the bot may use?"""
        return is_web(self.github_url) and bool(self.github_token.get_secret_value() or self.github_app_id)

    @property
    def shows_on_github(self) -> bool:
        """Is it told of deployments?"""
        return self.asks_github and self.github_statuses is not False

    def commit_url(self, repository: str, commit: str) -> str | None:
        """A commit's page, when repositories come from the web."""
        return f"{self.github_url}/{repository}/commit/{commit}" if is_web(self.github_url) else None

    @property
    def all_secrets(self) -> list[str]:
        """What must never be seen in a log or a message."""
        held = [self.github_token, self.github_app_key, self.sync_token, self.database_url, *self.webhook_secrets]
        held += self.deploy_keys.values()
        return [value for secret in held if (value := secret.get_secret_value())]


def is_web(url: str) -> bool:
    """Is this the address of something on the web, without a password?"""
    parts = urlsplit(url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and plain


def load_settings(config: Path, environment: Mapping[str, str] = os.environ, *, receives: bool = True) -> Settings:
    """Settings from `config/.env` and the environment. Raises DppctlError naming the variable that is wrong.

    `receives`: for something that takes webhooks, or works for what does; then there must be a secret.
    """
    given = {**dotenv_values(config / ".env"), **environment}
    if service := given.get(f"{_PREFIX}KEYRING"):
        given = {**_from_keyring(service), **given}
    fields = {name: given[_PREFIX + name.upper()] for name in Settings.model_fields if _PREFIX + name.upper() in given}
    fields.setdefault("state_dir", str(config / "state"))
    try:
        settings = Settings.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise _wrong(str(problem["loc"][0]), problem["msg"].removeprefix("Value error, "), config) from None
    if receives and not settings.webhook_secrets:
        raise _wrong("webhook_secrets", "is not set", config)
    if settings.github_app_id:
        _check_app(settings, config)
    return settings.model_copy(update={"state_dir": settings.state_dir.absolute()})


def _from_keyring(service: str) -> dict[str, str]:
    import keyring  # slow, and rarely needed
    from keyring.errors import KeyringError

    try:
        found = {name: keyring.get_password(service, name) for name in IN_KEYRING}
    except KeyringError as error:
        raise DppctlError(f"{_PREFIX}KEYRING: the system's keyring does not answer ({error}); unlock it") from None
    return {name: value for name, value in found.items() if value is not None}


def _check_app(settings: Settings, config: Path) -> None:
    """Said now, not at the first push."""
    if settings.github_app_key.get_secret_value():
        where, text = "github_app_key", settings.app_key
    elif (file := settings.github_app_key_file) is None:
        raise _wrong("github_app_key", "is not set, nor DPPCTL_GITHUB_APP_KEY_FILE: the app's private key", config)
    else:
        where = "github_app_key_file"
        try:
            text = settings.app_key
        except OSError as error:
            raise _wrong(where, f"{file}: {error.strerror}", config) from None
    if "PRIVATE KEY-----" not in text:
        raise _wrong(where, "is no private key in PEM form", config)


def _wrong(field: str, message: str, config: Path) -> DppctlError:
    variable = _PREFIX + field.upper()
    return DppctlError(f"{variable}: {message} (set it in the environment or in {config / '.env'})")
