"""From a deployment that is due to one with its image: looked up, or built first. `images` decides what is wanted."""

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app_config import AppConfig, Build
from bot.builders.choose import NoBuilder, Options, choose
from bot.builders.interface import Builder, BuildError, BuildPutOffError, Order
from bot.builds import Builds, Key, Work
from bot.default_image import DefaultImage
from bot.deployments import ImageFor
from bot.errors import BotError
from bot.images import Default, FromDockerfile, Means, Ready, labels
from bot.limits import BUILD_PATIENCE_SECONDS
from bot.look import Look
from bot.names import RepoPath
from bot.reconcile import Update
from bot.registry.client import Registry
from bot.registry.errors import RegistryAwayError, RegistryDeniedError
from bot.registry.reference import Reference
from bot.settings import Settings
from bot.store import Store

_log = logging.getLogger("dppctl.bot")


@dataclass(frozen=True)
class Waiting:
    """Nothing can be deployed yet, or at all; `retry`: try again some time later, though nobody wakes us."""

    deployment: int | None
    message: str
    retry: bool = False


@dataclass(frozen=True)
class Imaging:
    """What the bot's one thread asks for images."""

    settings: Settings
    means: Means
    store: Store
    registry: Registry
    builder: Builder
    builds: Builds
    default: DefaultImage
    # What people asked for by hand and waits for its image, by request: the deployment, and the image.
    asked: dict[int, tuple[int, Key]] = field(default_factory=dict)

    def uses_image(self, config: AppConfig) -> bool:
        """Does an app with this configuration run in an image?"""
        return self.means.used_for(config)

    def key(self, look: Look, update: Update) -> Key:
        """The image that the app's files have, whether or not they need one."""
        return Key(look.app, look.tree(update.ref))

    def keep(self, look: Look, due: Sequence[Update]) -> None:
        """End what is built for something else than what is due, or was asked for by hand."""
        places = {(one.target.environment, one.values.source.ref, one.values.source.commit) for one in due}
        by_hand = {deployment for deployment, _ in self.asked.values()}
        for one in self.store.building(str(look.app)):
            if (one.environment, one.ref, one.commit) not in places and one.id not in by_hand:
                self.store.end_build(one.id, "superseded", "something else is to run there")
        keys = {self.key(look, update) for update in due} | {key for _, key in self.asked.values()}
        self.builds.keep(look.app, keys)

    def ask(self, look: Look, update: Update, request: int) -> Update | Waiting:
        """As `with_image`, for a deployment by hand: its build goes on, whatever is due meanwhile."""
        ready = self.with_image(look, update)
        if isinstance(ready, Waiting) and ready.deployment:
            self.asked[request] = (ready.deployment, self.key(look, update))
        return ready

    def is_building(self, request: int) -> bool:
        """Is the image being built that this request waits for?"""
        return request in self.asked and self.builds.join(self.asked[request][1], self.asked[request][0])

    def with_image(self, look: Look, update: Update) -> Update | Waiting:
        """The update with its image's digest, or what it waits for.

        Raises BotError when the app cannot have the image that it should have, GitError when git fails.
        """
        config = look.config(update.ref)
        dockerfile = look.app.file((config.build or Build()).dockerfile)
        entry = look.mirror.entries(update.ref.commit, [dockerfile])[dockerfile]
        kind = self.means.kind(look.app, config, entry is not None and entry[0] == "blob")
        if kind is None:
            return update
        source = update.values.source
        wanted = ImageFor(str(look.app), update.target.environment, source.ref, source.commit, update.values.request)
        if (error := self.store.failed_build(wanted)) is not None:
            return Waiting(None, f"it has no image: {error.partition(chr(10))[0]}")
        try:
            if isinstance(kind, Ready):
                return self._pinned(update, self._ready(kind.reference))
            key = self.key(look, update)
            if image := self._found(key):
                return self._pinned(update, image)
        except RegistryAwayError as error:
            return self._put_off(wanted, str(error))
        return self._build(look, update, kind, wanted, key)

    def _ready(self, reference: Reference) -> str:
        digest = reference.digest or self.registry.digest(reference)
        if digest is None:
            raise BotError(f"image: {reference} is not there; push it first, or correct .dppctl.yaml")
        return str(reference.with_digest(digest))

    def _found(self, key: Key) -> str | None:
        """The image of these files: first the one that was deployed before, whatever its tag names now."""
        known = self.store.built_image(str(key.app), key.tree)
        tagged = self.means.destination(key.app, key.tree)
        try:
            if known and self.registry.digest(Reference.parse(known)):
                return known
            if digest := self.registry.digest(tagged):
                image = str(tagged.with_digest(digest))
                self.store.remember_image(str(key.app), key.tree, image)
                return image
        except RegistryDeniedError as error:  # some say so of what is not there yet; the push will tell
            _log.info("registry app=%s answer=%s", key.app, error)
        return None

    def _build(self, look: Look, update: Update, kind: FromDockerfile | Default, wanted: ImageFor, key: Key) -> Waiting:
        error = self.builds.take_error(key)
        if isinstance(error, BuildPutOffError):
            return self._put_off(wanted, str(error))
        destination = self.means.destination(key.app, key.tree)
        deployment = self.store.record_build(wanted, f"building {destination}")
        if isinstance(error, BuildError):
            self.store.end_build(deployment, "failed", str(error))
            return Waiting(deployment, f"it has no image: {str(error).partition(chr(10))[0]}")
        if not self.builds.join(key, deployment):
            self.builds.start(key, self._work(look, update, kind, destination), deployment)
        return Waiting(deployment, f"building its image {destination}")

    def _work(self, look: Look, update: Update, kind: FromDockerfile | Default, destination: Reference) -> Work:
        """All that the build needs is taken from git now: the mirror belongs to this thread."""
        folder = Path(tempfile.mkdtemp(prefix="dppctl-build-"))
        context = folder / "context"
        build = kind.build if isinstance(kind, FromDockerfile) else Build()
        try:
            look.mirror.export(update.ref.commit, look.app.path, context)
            secrets = {name: self._secret(look, name) for name in build.secrets}
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

        def work(log: Callable[[str], None], stop: threading.Event) -> str:
            try:
                dockerfile = context / build.dockerfile
                if isinstance(kind, Default):
                    dockerfile = folder / "Dockerfile"
                    self.default.dockerfile(context, dockerfile, log, stop)
                order = Order(
                    context=context,
                    dockerfile=dockerfile,
                    destination=str(destination),
                    target=build.target,
                    arguments=build.arguments,
                    labels=labels(update.values.source, self.settings.github_url),
                    secrets=secrets,
                )
                return str(destination.with_digest(self.builder.build(order, log, stop)))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                self.builder.prune()

        return work

    def _secret(self, look: Look, name: str) -> Path:
        place = self.settings.build_secrets_dir
        file = place / look.app.slug / name if place else None
        if file is None or not file.is_file():
            where = file or f"DPPCTL_BUILD_SECRETS_DIR (not set)/{look.app.slug}/{name}"
            raise BotError(f"build: secrets: {name}: whoever runs dppctl has to put it into {where}")
        return file.absolute()

    def _put_off(self, wanted: ImageFor, why: str) -> Waiting:
        """What may pass by itself is waited for, but not forever."""
        deployment = self.store.record_build(wanted, f"waiting: {why}")
        since = self.store.deployment(deployment)
        if since and since.created < datetime.now(UTC) - timedelta(seconds=BUILD_PATIENCE_SECONDS):
            self.store.end_build(deployment, "failed", why)
            return Waiting(deployment, f"it has no image: {why}")
        return Waiting(deployment, why, retry=True)

    @staticmethod
    def _pinned(update: Update, image: str) -> Update:
        return Update(update.target, update.values.model_copy(update={"image": image}))


def make_imaging(settings: Settings, store: Store, on_end: Callable[[RepoPath], None]) -> Imaging:
    """With the builder that the settings name, or the first that works here; none is looked for without a registry.

    `on_end` is called when a build of an app has ended. Raises BotError for a builder that does not work.
    """
    builder: Builder
    if settings.registry:
        builder = choose(settings.builder, builder_options(settings), lambda line: _log.info("%s", line))
        why_not = builder.why if isinstance(builder, NoBuilder) else None
    else:
        why_not = "there is no registry for its image: set DPPCTL_REGISTRY"
        builder = NoBuilder(why_not)
    builds = Builds(
        settings.build_concurrency,
        store.append_log,
        lambda key, image: store.remember_image(str(key.app), key.tree, image),
        on_end,
    )
    registry = Registry(settings.registry_auth_file, settings.plain_http_registries)
    default = DefaultImage(settings, registry, builder)
    return Imaging(settings, Means(settings.registry, why_not), store, registry, builder, builds, default)


def builder_options(settings: Settings) -> Options:
    """What builders are made with."""
    return Options(
        state=settings.state_dir / "builds",
        auth_file=settings.registry_auth_file,
        plain_http=settings.plain_http_registries,
        seconds=settings.build_seconds,
        cache_bytes=settings.build_cache_bytes,
    )
