"""Settings about what listens, and about sync."""

import secrets
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from bot.limits import DELIVERIES_A_MINUTE, KEPT_RELEASES, MAX_DELIVERY_BYTES
from bot.model.name_types import Environment, Namespace
from bot.settings.types import CommaSeparated, Concurrency, Port, Section, WebUrl, pairs


def _not_empty(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not value:
        raise ValueError("is empty; GitHub's webhook page asks for a secret, put the same one here")
    return value


def _without_slash(value: str) -> str:
    return value.rstrip("/")


class ListenSettings(Section):
    """Where a server listens."""

    host: str = Field("127.0.0.1", validation_alias="DPPCTL_HOST")
    port: Port = Field(8080, validation_alias="DPPCTL_PORT")


class ReceiverSettings(Section):
    """What the receiver accepts, and where it is seen from outside."""

    # While rotating, the old and the new one.
    webhook_secrets: Annotated[CommaSeparated[tuple[SecretStr, ...]], AfterValidator(_not_empty)] = Field(
        (), validation_alias="DPPCTL_WEBHOOK_SECRETS"
    )
    # Where people and GitHub reach the receiver and its pages; without it nothing links to them.
    public_url: WebUrl = Field("", validation_alias="DPPCTL_PUBLIC_URL")
    # Who may read the pages: whoever reaches them, or those who have logged in.
    pages: Literal["open", "login"] = Field("open", validation_alias="DPPCTL_PAGES")
    # Host names, besides those of this machine and `public_url`, that the pages answer to.
    allowed_hosts: CommaSeparated[tuple[str, ...]] = Field((), validation_alias="DPPCTL_ALLOWED_HOSTS")
    max_delivery_bytes: int = Field(MAX_DELIVERY_BYTES, validation_alias="DPPCTL_MAX_DELIVERY_BYTES", gt=0)
    # Of one repository, by each process of the receiver; 0: any number.
    deliveries_a_minute: int = Field(DELIVERIES_A_MINUTE, validation_alias="DPPCTL_DELIVERIES_A_MINUTE", ge=0)


class SyncSettings(Section):
    """How sync and the rest find and trust each other, and what a sync in a cluster does (docs/sync.md)."""

    # What sync shows when it reports. Left out, each start makes a new one, which is enough for `dppctl up`.
    token: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(32)), validation_alias="DPPCTL_SYNC_TOKEN"
    )
    # Of a `dppctl sync`, which the bot wakes.
    url: str = Field("", validation_alias="DPPCTL_SYNC_URL", pattern=r"^$|^https?://[^\s/?#@]+$")
    # Where sync reports to.
    receiver_url: Annotated[
        str, Field(pattern=r"^$|^https?://[^/@?#]+(/[^@?#]*)?$"), AfterValidator(_without_slash)
    ] = Field("", validation_alias="DPPCTL_RECEIVER_URL")
    concurrency: Concurrency = Field(2, validation_alias="DPPCTL_SYNC_CONCURRENCY")  # environments at a time
    # Earlier deployments of an environment of this machine that can be gone back to: each takes the disk of its data.
    kept_releases: int = Field(KEPT_RELEASES, validation_alias="DPPCTL_KEPT_RELEASES", ge=1, le=50)
    # Of containers that `dppctl up` runs images in: their own, or this machine's.
    network: Literal["private", "host"] = Field("private", validation_alias="DPPCTL_SYNC_NETWORK")
    environments: Annotated[
        dict[Environment | Literal["preview-*"], Namespace], pairs("ENVIRONMENT=NAMESPACE, separated by commas")
    ] = Field({}, validation_alias="DPPCTL_SYNC_ENVIRONMENTS")
    prune: bool = Field(False, validation_alias="DPPCTL_SYNC_PRUNE")  # uninstall what the ops repo no longer names
    # What somebody changed by hand in the cluster.
    drift: Literal["repair", "report", "off"] = Field("repair", validation_alias="DPPCTL_SYNC_DRIFT")
    drift_seconds: float = Field(300, validation_alias="DPPCTL_SYNC_DRIFT_SECONDS", gt=0)
    helm_seconds: float = Field(600, validation_alias="DPPCTL_HELM_SECONDS", gt=0)  # helm's own limit for one change
    # Of a deployment's Job; 0: its own activeDeadlineSeconds decides.
    job_seconds: float = Field(0, validation_alias="DPPCTL_JOB_SECONDS", ge=0)

    @property
    def has_shared_token(self) -> bool:
        """Return whether the token was given, so that processes that are started elsewhere can have it too."""
        return "token" in self.model_fields_set
