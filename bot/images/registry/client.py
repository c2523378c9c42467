"""What a registry holds: whether an image is there, as a whole, and its digest.

The API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import platform
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import Field, ValidationError

from bot.images.registry.answers import Lenient
from bot.images.registry.auth import Authenticator
from bot.images.registry.errors import BrokenImageError, RegistryAwayError, RegistryDeniedError, RegistryError
from bot.images.registry.transport import Answer, Transport
from bot.limits import REGISTRY_LOOKUPS, REGISTRY_SECONDS
from bot.model.image_reference import Reference, is_digest

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as images call them
_NO_HEAD = (405, 501)  # from servers that know GET only


class Registry:
    """Looks into registries, each by its host in the reference. Safe to use from several threads."""

    def __init__(
        self,
        auth_file: Path | None = None,
        plain_http: frozenset[str] = frozenset(),
        seconds: float = REGISTRY_SECONDS,
        ca: tuple[str, Path] | None = None,
        listed: Container[str] = frozenset(),
    ) -> None:
        """`auth_file` as `docker login` writes it; `plain_http`: HOST[:PORT] that have no TLS (loopback never has).

        `ca`: HOST[:PORT] and the file with the authorities that its certificate is of. `listed`: the registries
        (HOST[:PORT] as in references) that are asked; only these may be on this machine.
        """
        self._listed = listed
        self._transport = Transport(plain_http, seconds, ca, listed)
        self._authenticator = Authenticator(auth_file, self._transport, listed)

    def digest(self, reference: Reference) -> str | None:
        """Return the digest (`sha256:…`) of an image or an index of images; None when no image has this name.

        One HEAD, which Docker Hub does not count as a pull, where that says enough. Raises RegistryAwayError (try
        again), RegistryDeniedError (settings must change) or another RegistryError. Docker Hub denies, instead of
        saying None, when the whole repository is missing.
        """
        answer = self._ask(reference, "manifests", reference.pinned, "HEAD")
        if answer.status == 404:
            return None
        digest = answer.headers.get("Docker-Content-Digest", "")
        if _media_type(answer) in _MANIFESTS and is_digest(digest) and digest == (reference.digest or digest):
            return digest
        found = self._manifest(reference)
        return found[0] if found else None

    def check(self, reference: Reference) -> str | None:
        """Return the same for an image that can be pulled: its manifest was read, and the registry has all its parts.

        Of an index that is the image for Linux on this machine's kind of processor, and the others' manifests. Raises
        as `digest` does, and BrokenImageError, which says what is gone.
        """
        if not (found := self._manifest(reference)):
            return None
        digest, manifest = found
        if manifest.manifests:
            self._check_index(reference, manifest)
            return digest
        config = manifest.config
        if config is None or (config.mediaType and config.mediaType not in _CONFIGS):
            kind = config.mediaType if config else "an empty index"
            raise BrokenImageError(f"{reference} is no image of a container: it is {kind}")
        blobs = dict.fromkeys([config.digest, *(layer.digest for layer in manifest.layers if not layer.urls)])
        with ThreadPoolExecutor(REGISTRY_LOOKUPS) as threads:
            gone = [
                blob
                for blob, held in zip(
                    blobs, threads.map(lambda b: self._has(reference, "blobs", b), blobs), strict=True
                )
                if not held
            ]
        if gone:
            what = "configuration" if gone[0] == config.digest else "layer"
            raise BrokenImageError(f"{reference.host} has lost the {what} {gone[0]} of {reference}: push it again")
        return digest

    def _check_index(self, reference: Reference, index: "_Manifest") -> None:
        machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
        linux = [image for image in index.manifests if image.platform.os in ("linux", "")]
        linux.sort(key=lambda image: image.platform.architecture != machine)
        if not linux:
            raise BrokenImageError(f"{reference} has no image for Linux")
        for number, image in enumerate(linux):
            part = reference.with_digest(image.digest)
            if not (self._has(part, "manifests", image.digest) if number else self.check(part)):
                which = image.platform.architecture or "Linux"
                raise BrokenImageError(
                    f"{reference.host} has lost {part}, the image for {which} in {reference}: push it again"
                )

    def _manifest(self, reference: Reference) -> "tuple[str, _Manifest] | None":
        """Return a manifest and its digest; None when no image has this name. Raises for anything else."""
        answer = self._ask(reference, "manifests", reference.pinned, "GET")
        if answer.status == 404:
            return None
        if (kind := _media_type(answer)) not in _MANIFESTS:
            raise RegistryAwayError(
                f"{reference.host} answers for {reference} with {kind or 'something'}, which is no image's manifest: "
                "is it a registry, or does a proxy or a login page answer in its place?"
            )
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        stated = answer.headers.get("Docker-Content-Digest", "")
        if digest != (reference.digest or digest) or (is_digest(stated) and digest != stated):
            raise RegistryAwayError(
                f"{reference.host} answers for {reference} with something else than {reference.digest or stated}"
            )
        try:
            return digest, _Manifest.model_validate_json(answer.body)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "it is no JSON"
            raise RegistryError(f"{reference}: its manifest cannot be read: {where}") from None

    def _has(self, reference: Reference, kind: str, which: str) -> bool:
        """Tell whether the registry has this; where a blob itself is kept does not matter."""
        answer = self._ask(reference, kind, which, "HEAD")
        if answer.status in _NO_HEAD:
            answer = self._ask(reference, kind, which, "GET")
        return answer.status != 404

    def _ask(self, reference: Reference, kind: str, which: str, method: str) -> Answer:
        """Return an answer of 200 or 404, for a blob a redirect, for a HEAD 405; log in when that is asked for."""
        if reference.host.lower() not in self._listed:
            raise RegistryDeniedError(
                f"{reference}: dppctl asks no registry {reference.host}: whoever runs it can let "
                "DPPCTL_IMAGE_REGISTRIES name it"
            )
        header = self._authenticator.cached(reference)
        answer = self._request(reference, kind, which, method, header)
        if header and answer.status in (400, 401, 403):  # revoked, say, or of a user who is no more
            self._authenticator.forget(reference, header)
            header, answer = None, self._request(reference, kind, which, method, None)
        if answer.status == 401:
            header = self._authenticator.authorize(reference, answer.headers.get("WWW-Authenticate", ""))
            answer = self._request(reference, kind, which, method, header)
            if answer.status in (400, 401, 403):
                self._authenticator.forget(reference, header)
        if answer.status in (401, 403):
            raise self._authenticator.denied(reference, header, asked=header is not None)
        is_elsewhere = kind == "blobs" and 300 <= answer.status < 400
        if answer.status in (200, 404) or is_elsewhere or (method == "HEAD" and answer.status in _NO_HEAD):
            return answer
        raise RegistryError(f"{reference.host} answers {answer.status} for {reference}; is it a registry?")

    def _request(self, reference: Reference, kind: str, which: str, method: str, header: str | None) -> Answer:
        url = self._transport.url(reference.api_host, f"/v2/{reference.repository}/{kind}/{which}")
        headers = {"Accept": ", ".join(_MANIFESTS) if kind == "manifests" else "*/*"}
        if header:
            headers["Authorization"] = header
        return self._transport.request(method, url, headers, {}, read=kind == "manifests")


class _Platform(Lenient):
    os: str = ""
    architecture: str = ""


class _Descriptor(Lenient):
    mediaType: str = ""  # noqa: N815 (the specification's own name)
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    platform: _Platform = _Platform()
    urls: list[str] = Field(default_factory=list)  # where else it is, instead of in a registry


class _Manifest(Lenient):
    """An image's (it has a config) or an index of several."""

    config: _Descriptor | None = None
    layers: list[_Descriptor] = Field(default_factory=list)
    manifests: list[_Descriptor] = Field(default_factory=list)


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
