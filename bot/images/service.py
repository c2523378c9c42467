"""The images of apps: looked up in the registry, and built by the builder that works here."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PermanentError
from bot.images.base_images import BaseImages
from bot.images.build_queue import Work
from bot.images.builders.buildkit.job import Cluster
from bot.images.builders.choose import NoBuilder, Options, choose
from bot.images.builders.dockerfile import base_images
from bot.images.builders.interface import Builder, Order
from bot.images.decide import RUNTIME, Default, FromDockerfile, ImagePolicy, is_below, labels
from bot.images.default_dockerfile import TEMPLATE, default_dockerfile
from bot.images.inputs import fingerprints, tag_of
from bot.images.registry.client import Registry
from bot.images.registry.errors import BrokenImageError, RegistryDeniedError
from bot.images.runtime import RuntimeImage
from bot.limits import MAX_CONFIG_ENTRIES
from bot.logs import get_logger
from bot.model.app_config import Build
from bot.model.image_reference import Reference
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Source
from bot.settings import Settings

_log = get_logger("dppctl.bot")


@dataclass(frozen=True)
class ImageService:
    """Safe to use from several threads."""

    settings: Settings
    policy: ImagePolicy
    registry: Registry
    public: Registry  # the same without our login
    builder: Builder
    runtime: RuntimeImage
    bases: BaseImages

    def ready(self, app: RepoPath, reference: Reference) -> str:
        """Return an image that somebody else made, by its digest. Raises PermanentError without it, RegistryError.

        By our login an app gets no image but its own and those that it is registered for. One that is named by its
        digest is looked up too: what cannot be pulled is told before anything is deployed.
        """
        if not is_below(reference, self.policy.logins(app)) and self.settings.images.registry_auth_file:
            try:
                digest = self.public.check(reference)
            except RegistryDeniedError as error:
                raise PermanentError(
                    f"image: {reference} is not for everybody, and {app} may not take it with dppctl's login: let the "
                    f"app's `images:` in apps.yaml name {reference.name}, or make it public ({error})"
                ) from None
        else:
            digest = self.registry.check(reference)
        if digest is None:
            raise PermanentError(f"image: {reference} is not there; push it first, or correct .dppctl.yaml")
        return str(reference.with_digest(digest))

    def tag(self, app: RepoPath, tree: str, kind: FromDockerfile | Default, dockerfile: str) -> str:
        """Return the tag of the image of these files, which also changes with what else goes into it.

        dockerfile: the text of the app's own. Raises PermanentError when a secret is missing.
        """
        if isinstance(kind, Default):
            return tag_of(tree, {"runtime": self.runtime.reference().tag, "dockerfile": TEMPLATE})
        build = kind.build
        key_file = self.settings.state_dir / "builds" / "secrets.key"
        inputs = {
            "bases": self.bases.digests(base_images(dockerfile, build.arguments)[:MAX_CONFIG_ENTRIES]),
            "build": build.model_dump(),
            "secrets": fingerprints(self._secrets(app, build), key_file),
        }
        return tag_of(tree, inputs)

    def tagged(self, app: RepoPath, tag: str) -> str | None:
        """Return the image that was built with this tag, as the registry has it now. Raises RegistryError."""
        return self.whole(self.policy.destination(app, tag))

    def whole(self, reference: Reference) -> str | None:
        """Return an image of ours by its digest; None when the registry does not have all of it: it is built anew.

        Raises RegistryError.
        """
        try:
            digest = self.registry.check(reference)
        except BrokenImageError as error:
            _log.warning("registry", answer=error)
            return None
        return str(reference.with_digest(digest)) if digest else None

    def work(
        self,
        app: RepoPath,
        tag: str,
        source: Source,
        kind: FromDockerfile | Default,
        export: Callable[[Path], None],
        *,
        rebuild: bool = False,
    ) -> Work:
        """Return what builds the app's image, pushes it and returns its name with the digest.

        `export`, called at once, puts the app's files into a new folder. `rebuild`: no step of an earlier build is
        taken over; that is always so with secrets, for builders do not see that one changed. Raises PermanentError
        when a secret is missing, or what the export raises.
        """
        build = kind.build if isinstance(kind, FromDockerfile) else Build()
        secrets = self._secrets(app, build)
        destination = self.policy.destination(app, tag)
        folder = Path(tempfile.mkdtemp(prefix="dppctl-build-"))
        context = folder / "context"
        try:
            export(context)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

        def work(log: Callable[[str], None], stop: threading.Event) -> str:
            try:
                dockerfile = context / build.dockerfile
                if isinstance(kind, Default):
                    dockerfile = folder / "Dockerfile"
                    dockerfile.write_text(default_dockerfile(self.runtime.ensure(log, stop), context))
                order = Order(
                    context=context,
                    dockerfile=dockerfile,
                    destination=str(destination),
                    target=build.target,
                    arguments=build.arguments,
                    labels=labels(source, self.settings.github.url),
                    secrets=secrets,
                    rebuild=rebuild or bool(secrets),
                    app=str(app),
                    logins=self.policy.logins(app),
                )
                return str(destination.with_digest(self.builder.build(order, log, stop)))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                self.prune({app})

        return work

    def prune(self, apps: Collection[RepoPath] = ()) -> None:
        """Keep the builder's cache small, and only of registered apps and of these; of all without a registration."""
        known = {*self.policy.apps, *apps}
        self.builder.prune({str(app) for app in known} if self.policy.apps else None)

    def _secrets(self, app: RepoPath, build: Build) -> dict[str, Path]:
        return {name: self._secret(app, name) for name in build.secrets}

    def _secret(self, app: RepoPath, name: str) -> Path:
        folder = self.settings.images.build_secrets_dir
        file = folder / app.slug / name if folder else None
        if file is None or not file.is_file():
            where = file or f"DPPCTL_BUILD_SECRETS_DIR (not set)/{app.slug}/{name}"
            raise PermanentError(f"build: secrets: {name}: whoever runs dppctl has to put it into {where}")
        return file.absolute()


def make_image_service(settings: Settings, targets: Iterable[Target] = ()) -> ImageService:
    """Return a service with the builder that the settings name, or the first that works; none without a registry.

    `targets`: what is registered.

    Raises DppctlError for a builder that does not work.
    """
    builder: Builder
    if settings.images.registry:
        builder = choose(settings.images.builder, builder_options(settings), _log.info)
        why_not = builder.why if isinstance(builder, NoBuilder) else None
    else:
        why_not = "there is no registry for its image: set DPPCTL_REGISTRY"
        builder = NoBuilder(why_not)
    plain, ca = settings.images.plain_http_registries, _ca(settings)
    auth_file, listed = settings.images.registry_auth_file, settings.images.listed_registries
    registry, public = (Registry(auth, plain, ca=ca, listed=listed) for auth in (auth_file, None))
    bases = BaseImages(registry, settings.state_dir / "builds" / "base-images.json")
    runtime = RuntimeImage(settings, registry, bases, builder)
    apps: dict[RepoPath, frozenset[str]] = {}
    for target in targets:
        apps[target.app] = apps.get(target.app, frozenset()) | target.images
    policy = ImagePolicy(settings.images.registry, why_not, apps)
    return ImageService(settings, policy, registry, public, builder, runtime, bases)


def builder_options(settings: Settings) -> Options:
    """Return what builders are made with."""
    return Options(
        state=settings.state_dir / "builds",
        auth_file=settings.images.registry_auth_file,
        plain_http=settings.images.plain_http_registries,
        seconds=settings.images.build_seconds,
        cache_bytes=settings.images.build_cache_bytes,
        ca=_ca(settings),
        common=_common(settings),
        frontends=settings.images.dockerfile_frontends,
        has_secrets=settings.images.build_secrets_dir is not None,
        cluster=Cluster(
            namespace=settings.buildkit.namespace,
            image=settings.buildkit.image,
            auth_secret=settings.buildkit.auth_secret or None,
            requests={"cpu": settings.buildkit.cpu, "memory": "512Mi"},
            limits={"memory": settings.buildkit.memory},
            disk=settings.buildkit.disk,
        ),
    )


def _common(settings: Settings) -> frozenset[str]:
    """Return the images that any app may have with our login: public ones, and the runtime image."""
    runtime = {f"{settings.images.registry}/{RUNTIME}"} if settings.images.registry else set()
    return frozenset({"docker.io/library", *runtime})


def _ca(settings: Settings) -> tuple[str, Path] | None:
    """Return the authorities of DPPCTL_REGISTRY; other registries have certificates that everybody knows."""
    if settings.images.registry_ca is None:
        return None
    if not settings.images.registry_ca.is_file():
        raise PermanentError(f"DPPCTL_REGISTRY_CA: there is no file {settings.images.registry_ca}")
    return settings.images.registry.partition("/")[0], settings.images.registry_ca
