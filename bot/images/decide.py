"""Which image an app runs in, decided from plain data: no git, no registry.

An image is named by the id that git gives to the app's files and by what else goes into it (`bot.images.inputs`), so
the same is never built twice, whatever commit, branch or tag it comes from; what is deployed is its digest.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from bot.errors import PermanentError
from bot.model.app_config import AppConfig, Build
from bot.model.image_reference import Reference
from bot.model.names import RepoPath
from bot.model.values import Source

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_DIGITS = 12  # that tell names apart which a registry does not
RUNTIME = "dppctl-runtime"  # the repository of the image that apps without a Dockerfile are made of


@dataclass(frozen=True)
class Ready:
    """An image that somebody else made; `.dppctl.yaml` names it."""

    reference: Reference


@dataclass(frozen=True)
class FromDockerfile:
    """Built as the app's Dockerfile says."""

    build: Build


@dataclass(frozen=True)
class Default:
    """The app has no Dockerfile: its files in dppctl's runtime image."""


Kind = Ready | FromDockerfile | Default


@dataclass(frozen=True)
class ImagePolicy:
    """Where images go, and why none are built here: `why_not`, the end of a sentence; None when they are.

    `apps`: those that are registered, each with the images (HOST/NAME, and what is below) that it may take with the
    bot's login besides its own.
    """

    registry: str  # HOST[:PORT][/PREFIX]
    why_not: str | None = None
    apps: Mapping[RepoPath, frozenset[str]] = field(default_factory=dict)

    def used_for(self, config: AppConfig) -> bool:
        """Tell whether an app with this configuration runs in an image."""
        return config.image is not None or self.why_not is None

    def kind(self, app: RepoPath, config: AppConfig, has_dockerfile: bool) -> Kind | None:
        """Return the app's kind of image; None: it runs without. Raises PermanentError when it needs one in vain."""
        if config.image is not None:
            return Ready(Reference.parse(config.image))
        build = config.build or Build()
        if has_dockerfile:
            if self.why_not:
                raise PermanentError(f"{app} has a {build.dockerfile}, and {self.why_not}")
            return FromDockerfile(build)
        if config.build:
            raise PermanentError(f"{app}: .dppctl.yaml says build:, and there is no {build.dockerfile}")
        return None if self.why_not else Default()

    def destination(self, app: RepoPath, tag: str) -> Reference:
        """Return the name of an app's image, which no other app has.

        A registry's repositories are in lower case, of few characters. Of the apps whose names come to the same there,
        the one that is registered, or that is written so, has the plain name; the others' have digits behind `__`,
        which no plain name has.
        """
        name = plain = _plain(app)
        same = {other for other in self.apps if _plain(other) == plain}
        is_written_so = plain == str(app)
        if same != {app} and not (is_written_so and (app in same or not same)):
            name = f"{plain}__{sha256(str(app).encode()).hexdigest()[:_DIGITS]}"
        return Reference.parse(f"{self.registry}/{name}:{tag}")

    def logins(self, app: RepoPath) -> frozenset[str]:
        """Return the images (HOST/NAME, and what is below) that an app may take with the bot's login.

        Those of its own, dppctl's runtime image, and what the registration allows.
        """
        if not self.registry:
            return self.apps.get(app, frozenset())
        runtime = Reference.parse(f"{self.registry}/{RUNTIME}").name
        return frozenset({self.destination(app, "x").name, runtime}) | self.apps.get(app, frozenset())


def is_below(reference: Reference, names: Collection[str]) -> bool:
    """Tell whether an image is one of these (HOST/NAME), or below one."""
    return any(reference.name == name or reference.name.startswith(f"{name}/") for name in names)


def _plain(app: RepoPath) -> str:
    return "/".join(_NOT_IN_NAMES.sub("-", part.lower()).strip("-") or "x" for part in str(app).split("/"))


def labels(source: Source, web: str) -> dict[str, str]:
    """Return the labels that say where an image came from; `web` is the address that repositories are below.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    url = f"{web}/{source.repository}" if web.startswith(("https://", "http://")) else source.repository
    return {
        "org.opencontainers.image.source": url,
        "org.opencontainers.image.revision": source.commit,
        "org.opencontainers.image.ref.name": source.ref,
    }
