"""All settings of the servers in one object."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from bot.limits import PREVIEW_DAYS, PREVIEWS, RESYNC_SECONDS
from bot.model.previews import PreviewLimits
from bot.settings.alerts import AlertSettings
from bot.settings.auth import AuthSettings
from bot.settings.github import GitHubSettings
from bot.settings.images import BuildKitSettings, ImageSettings
from bot.settings.runs import ProxySettings, PublicClusterSettings, RunsSettings
from bot.settings.servers import ListenSettings, ReceiverSettings, SyncSettings
from bot.settings.storage import StorageSettings
from bot.settings.types import Section
from bot.settings.usage import UsageSettings


class Settings(Section):
    """The bot's own settings, and a section for each subject. Read them with `load_settings`."""

    state_dir: Path = Field(validation_alias="DPPCTL_STATE_DIR")
    given_database_url: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_DATABASE_URL")
    # Who deploys what the ops repos say: dppctl's own sync, or another (Argo CD, Flux) that sets commit statuses there.
    deployed_by: Literal["sync", "commit-status"] = Field("sync", validation_alias="DPPCTL_DEPLOYED_BY")
    resync_seconds: float = Field(RESYNC_SECONDS, validation_alias="DPPCTL_RESYNC_SECONDS", gt=0)
    # Environments that branches have of their own: of an app at the same time, and days after the last push.
    previews: int = Field(PREVIEWS, validation_alias="DPPCTL_PREVIEWS", ge=0, le=100)
    preview_days: float = Field(PREVIEW_DAYS, validation_alias="DPPCTL_PREVIEW_DAYS", gt=0)
    github: GitHubSettings
    images: ImageSettings
    buildkit: BuildKitSettings
    listen: ListenSettings
    receiver: ReceiverSettings
    sync: SyncSettings
    runs: RunsSettings
    proxy: ProxySettings
    public_cluster: PublicClusterSettings
    auth: AuthSettings
    usage: UsageSettings
    storage: StorageSettings
    alerts: AlertSettings

    @property
    def preview_limits(self) -> PreviewLimits:
        """Return how many previews there may be, and for how long."""
        return PreviewLimits(self.previews, self.preview_days)

    @property
    def database_url(self) -> str:
        """Return the SQLAlchemy URL of the bot's own database: SQLite in the state folder unless another is given."""
        return self.given_database_url.get_secret_value() or f"sqlite:///{self.state_dir / 'dppctl.sqlite'}"

    @property
    def auth_database_url(self) -> str:
        """Return the URL of the auth server's database: SQLite in the state folder unless another is given."""
        given = self.auth.given_database_url.get_secret_value()
        return given or f"sqlite:///{self.state_dir / 'auth.sqlite'}"

    @property
    def usage_database_url(self) -> str:
        """Return the URL of the usage server's database: SQLite in the state folder unless another is given."""
        given = self.usage.given_database_url.get_secret_value()
        return given or f"sqlite:///{self.state_dir / 'usage.sqlite'}"

    @property
    def storage_port(self) -> int:
        """Return the port of the storage server: the one after the pages' unless another is given; 0: any free one."""
        if self.storage.given_port is None:
            return self.listen.port + 1 if 0 < self.listen.port < 65535 else 0
        return self.storage.given_port

    @property
    def page_hosts(self) -> list[str]:
        """Return the host names that the pages answer to; a browser that asks for another one was led here."""
        public = urlsplit(self.receiver.public_url).hostname
        known = ("localhost", "127.0.0.1", "::1", self.listen.host, public, *self.receiver.allowed_hosts)
        return list(dict.fromkeys(host.lower() for host in known if host))

    @property
    def all_secrets(self) -> list[str]:
        """Return what must never be seen in a log or a message."""
        held = [self.github.token, self.github.app_key, self.sync.token, self.given_database_url]
        held += [
            self.usage.given_database_url,
            *self.auth.secrets,
            *self.receiver.webhook_secrets,
            *self.alerts.addresses,
            *self.github.deploy_keys.values(),
        ]
        return [value for secret in held if (value := secret.get_secret_value())]

    def replace(self, section: str, **changes: object) -> "Settings":
        """Return a copy in which these fields of a section have other values, which are not checked."""
        kept: Section = getattr(self, section)
        if unknown := changes.keys() - type(kept).model_fields.keys():
            raise TypeError(f"settings.{section} has no {', '.join(sorted(unknown))}")
        return self.model_copy(update={section: kept.model_copy(update=changes)})
