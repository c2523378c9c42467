"""Settings about images: the registry they are in, and how they are built."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bot.limits import BASE_IMAGE, BUILD_CACHE_BYTES, BUILD_SECONDS
from bot.model.image_reference import Hosts, Reference, is_host
from bot.settings.types import CommaSeparated, Concurrency, KubernetesName, Name, Quantity, Section


def _host(value: str) -> str:
    if not is_host(value):
        raise ValueError(f"{value!r} is no HOST[:PORT]")
    return value.lower()


Host = Annotated[str, AfterValidator(_host)]


class ImageSettings(Section):
    """Without a registry apps run as they are, and one with a Dockerfile is refused."""

    registry: str = Field(
        "", validation_alias="DPPCTL_REGISTRY", pattern=r"^$|^[a-z0-9.:\[\]-]+(/[a-z0-9._-]+)*$"
    )  # HOST[:PORT][/PREFIX]
    # Logins, as `docker login` writes them.
    registry_auth_file: Path | None = Field(None, validation_alias="DPPCTL_REGISTRY_AUTH_FILE")
    # PEM, for look-ups and BuildKit; of a registry whose certificate is your own.
    registry_ca: Path | None = Field(None, validation_alias="DPPCTL_REGISTRY_CA")
    # HOST[:PORT] without TLS.
    plain_http_registries: CommaSeparated[frozenset[str]] = Field(
        frozenset(), validation_alias="DPPCTL_PLAIN_HTTP_REGISTRIES"
    )
    # HOST[:PORT] that dppctl asks (HOST alone: all its ports), besides those of DPPCTL_REGISTRY and DPPCTL_BASE_IMAGE.
    image_registries: CommaSeparated[frozenset[Host]] = Field(
        frozenset({"docker.io", "ghcr.io", "quay.io"}), validation_alias="DPPCTL_IMAGE_REGISTRIES"
    )
    # Images that a Dockerfile may name by `# syntax=` for docker and BuildKit.
    dockerfile_frontends: CommaSeparated[frozenset[str]] = Field(
        frozenset(), validation_alias="DPPCTL_DOCKERFILE_FRONTENDS"
    )
    builder: str = Field("auto", validation_alias="DPPCTL_BUILDER")  # bot/images/builders/choose.py
    base_image: str = Field(BASE_IMAGE, validation_alias="DPPCTL_BASE_IMAGE")  # of apps without a Dockerfile
    build_seconds: float = Field(BUILD_SECONDS, validation_alias="DPPCTL_BUILD_SECONDS", gt=0)
    build_concurrency: Concurrency = Field(2, validation_alias="DPPCTL_BUILD_CONCURRENCY")
    build_cache_bytes: int = Field(BUILD_CACHE_BYTES, validation_alias="DPPCTL_BUILD_CACHE_BYTES", gt=0)
    # Its folders OWNER+REPO[+PATH] hold the apps' secrets, a file each.
    build_secrets_dir: Path | None = Field(None, validation_alias="DPPCTL_BUILD_SECRETS_DIR")

    @property
    def listed_registries(self) -> Hosts:
        """Return the registries that dppctl asks, and that may be on this machine."""
        own = {self.registry.partition("/")[0]} if self.registry else set[str]()
        return Hosts(self.image_registries | own | {Reference.parse(self.base_image).host})


class BuildKitSettings(Section):
    """Where and how DPPCTL_BUILDER=buildkit builds."""

    namespace: KubernetesName = Field("dppctl-builds", validation_alias="DPPCTL_BUILDKIT_NAMESPACE")
    image: Name = Field("moby/buildkit:v0.31.1-rootless", validation_alias="DPPCTL_BUILDKIT_IMAGE")
    # The name of a Secret of type kubernetes.io/dockerconfigjson.
    auth_secret: KubernetesName | Literal[""] = Field("", validation_alias="DPPCTL_BUILDKIT_AUTH_SECRET")
    cpu: Quantity = Field("500m", validation_alias="DPPCTL_BUILDKIT_CPU")
    memory: Quantity = Field("4Gi", validation_alias="DPPCTL_BUILDKIT_MEMORY")  # at most
    disk: Quantity = Field("20Gi", validation_alias="DPPCTL_BUILDKIT_DISK")
