"""Settings about runs on a cluster: of the operator, and of what asks it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from bot.model.name_types import Namespace
from bot.settings.types import CommaSeparated, ExistingFile, Section, WebUrl

# HOST:PORT, of IPv6 with brackets; port 0: any free one.
Listen = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$")]


class RunsSettings(Section):
    """Where runs are, and what the operator keeps and listens to."""

    # Left out: the pod's own, or that of the kubeconfig file's current context.
    namespace: Namespace | None = Field(None, validation_alias="DPPCTL_RUNS_NAMESPACE")
    # Uploaded workloads and the events of runs. Left out: `operator` in the state folder.
    operator_dir: Path | None = Field(None, validation_alias="DPPCTL_OPERATOR_DIR")
    operator_listen: Listen = Field("127.0.0.1:8081", validation_alias="DPPCTL_OPERATOR_LISTEN")
    # What the proxy shows the operator.
    operator_token_file: ExistingFile = Field(None, validation_alias="DPPCTL_OPERATOR_TOKEN_FILE")
    # What the tokens of workers and the passwords of databases are made from; every pool has the same.
    pool_key_file: ExistingFile = Field(None, validation_alias="DPPCTL_POOL_KEY_FILE")
    # Pools that the operator makes for runs that name an image, at a time; 0: none.
    max_pools: int = Field(0, validation_alias="DPPCTL_OPERATOR_MAX_POOLS", ge=0, le=1000)
    # How an image has to begin for that; none: no image is allowed.
    pool_images: CommaSeparated[tuple[str, ...]] = Field((), validation_alias="DPPCTL_OPERATOR_POOL_IMAGES")
    # Without a run, after which such a pool is removed.
    pool_idle_seconds: float = Field(1800, validation_alias="DPPCTL_OPERATOR_POOL_IDLE_SECONDS", gt=0)
    # JSON: values of charts/dppctl-pipelines that all such pools have.
    pool_values_file: ExistingFile = Field(None, validation_alias="DPPCTL_OPERATOR_POOL_VALUES_FILE")


class ProxySettings(Section):
    """Where the proxy listens, whom it knows, and what it asks; the rest is of `RunsSettings`."""

    listen: Listen = Field("127.0.0.1:8090", validation_alias="DPPCTL_PROXY_LISTEN")
    tokens_file: ExistingFile = Field(None, validation_alias="DPPCTL_PROXY_TOKENS_FILE")  # of `dppctl token`
    # What the usage server shows the proxy, and where it reaches it.
    service_token_file: ExistingFile = Field(None, validation_alias="DPPCTL_PROXY_SERVICE_TOKEN_FILE")
    url: WebUrl = Field("http://127.0.0.1:8090", validation_alias="DPPCTL_PROXY_URL")
    operator_url: WebUrl = Field("http://127.0.0.1:8081", validation_alias="DPPCTL_OPERATOR_URL")
    # What people see that they use. Left out: the namespace.
    cluster: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,100}$")] = Field(
        "", validation_alias="DPPCTL_CLUSTER_NAME"
    )


class PublicClusterSettings(Section):
    """What a public cluster's proxy says of itself, on its page at `/` and to `dppctl`."""

    # Whoever logs in may run pipelines here; people are told not to bring private data.
    enabled: bool = Field(False, validation_alias="DPPCTL_PUBLIC_CLUSTER")
    # Who runs it, and an address (a mailbox, or https://…) for those whom something there harms.
    operator: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,200}$")] = Field(
        "", validation_alias="DPPCTL_PUBLIC_OPERATOR"
    )
    contact: Annotated[str, Field(pattern=r"^$|^[^\s@<>\"]{1,100}@[^\s@<>\"]{1,150}$|^https://[^\s<>\"]{1,300}$")] = (
        Field("", validation_alias="DPPCTL_PUBLIC_CONTACT")
    )
    # After which what runs publish is removed; 0: never.
    keep_days: int = Field(90, validation_alias="DPPCTL_PUBLIC_KEEP_DAYS", ge=0, le=36_500)
