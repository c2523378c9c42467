"""What a registry holds: digests and labels of images.

The API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import platform
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from bot.images.registry.auth import Authenticator
from bot.images.registry.errors import RegistryError
from bot.images.registry.transport import Answer, Transport
from bot.limits import REGISTRY_SECONDS
from bot.model.image_reference import Reference, is_digest

M = TypeVar("M", bound=BaseModel)
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as images call them


class Registry:
    """Looks into registries, each by its host in the reference. Safe to use from several threads."""

    def __init__(
        self,
        auth_file: Path | None = None,
        plain_http: frozenset[str] = frozenset(),
        seconds: float = REGISTRY_SECONDS,
        ca: tuple[str, Path] | None = None,
    ) -> None:
        """`auth_file` as `docker login` writes it; `plain_http`: HOST[:PORT] that have no TLS (loopback never has).

        `ca`: HOST[:PORT] and the file with the authorities that its certificate is of.
        """
        self._transport = Transport(plain_http, seconds, ca)
        self._authenticator = Authenticator(auth_file, self._transport)

    def digest(self, reference: Reference) -> str | None:
        """Return the digest (`sha256:…`) of an image or an index of images; None when no image has this name.

        Raises RegistryAwayError (try again), RegistryDeniedError (settings must change) or another RegistryError.
        Docker Hub denies, instead of saying None, when the whole repository is missing.
        """
        answer = self._get(reference, "manifests", reference.pinned, method="HEAD")
        if answer and not is_digest(answer.headers.get("Docker-Content-Digest", "")):  # it may leave that out
            answer = self._get(reference, "manifests", reference.pinned)
            return _sha256(answer.body) if answer else None
        return answer.headers["Docker-Content-Digest"] if answer else None

    def labels(self, reference: Reference) -> dict[str, str]:
        """Return the image's labels; of an index, those of the image for Linux on this machine's kind of processor.

        Raises RegistryError, also when there is no such image.
        """
        manifest = self._read(_Manifest, reference, "manifests", reference.pinned)
        machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
        for image in manifest.manifests:
            if (image.platform.os, image.platform.architecture) == ("linux", machine):
                return self.labels(reference.with_digest(image.digest))
        if not manifest.config:
            raise RegistryError(f"{reference} has no image for linux/{machine}")
        return self._read(_Config, reference, "blobs", manifest.config.digest).config.Labels or {}

    def _read(self, model: type[M], reference: Reference, kind: str, which: str) -> M:
        answer = self._get(reference, kind, which)
        if not answer:
            raise RegistryError(f"{reference.host} has no {reference} ({kind} {which})")
        if is_digest(which) and _sha256(answer.body) != which:
            raise RegistryError(f"{reference.host} answers for {reference} with something else than {which}")
        try:
            return model.model_validate_json(answer.body)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "it is no JSON"
            raise RegistryError(f"{reference}: its {kind} cannot be read: {where}") from None

    def _get(self, reference: Reference, kind: str, which: str, method: str = "GET") -> Answer | None:
        url = self._transport.url(reference.api_host, f"/v2/{reference.repository}/{kind}/{which}")
        headers = {"Accept": ", ".join(_MANIFESTS)}
        header = self._authenticator.cached(reference)
        answer = self._transport.request(method, url, headers | ({"Authorization": header} if header else {}), {})
        if answer.status == 401:
            header = self._authenticator.authorize(reference, answer.headers.get("WWW-Authenticate", ""))
            answer = self._transport.request(method, url, headers | {"Authorization": header}, {})
        if answer.status in (401, 403):
            raise self._authenticator.denied(reference, header)
        if answer.status not in (200, 404):
            raise RegistryError(f"{reference.host} answers {answer.status} for {reference}; is it a registry?")
        return answer if answer.status == 200 else None


class _Platform(BaseModel):
    os: str = ""
    architecture: str = ""


class _Descriptor(BaseModel):
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    platform: _Platform = _Platform()


class _Manifest(BaseModel):
    """An image's (it has a config) or an index of several."""

    config: _Descriptor | None = None
    manifests: list[_Descriptor] = []


class _Settings(BaseModel):
    Labels: dict[str, str] | None = None  # the specification's own name


class _Config(BaseModel):
    config: _Settings = _Settings()


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
