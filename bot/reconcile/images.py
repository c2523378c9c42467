"""From a deployment that is due to one with its image: looked up, or built first. `images` decides what is wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.images.build_queue import BuildQueue, Key
from bot.images.builders.interface import BuildError, BuildPutOffError
from bot.images.decide import Default, FromDockerfile, Ready
from bot.images.registry.errors import RegistryAwayError, RegistryDeniedError
from bot.images.service import ImageService, make_image_service
from bot.limits import BUILD_PATIENCE_SECONDS
from bot.logs import get_logger
from bot.model.app_config import AppConfig, Build
from bot.model.decisions import Update
from bot.model.image_reference import Reference
from bot.model.names import RepoPath
from bot.reconcile.observe import AppState
from bot.settings import Settings
from bot.store.pending_builds import PendingBuild
from bot.store.store import Store

_log = get_logger("dppctl.bot")


@dataclass(frozen=True)
class Waiting:
    """Nothing can be deployed yet, or at all; `retry`: try again some time later, though nobody wakes us."""

    deployment: int | None
    message: str
    retry: bool = False


@dataclass(frozen=True)
class ImageResolver:
    """What the bot's one thread asks for images."""

    shop: ImageService
    store: Store
    builds: BuildQueue
    # What people asked for by hand and waits for its image, by request: the deployment, and the image.
    asked: dict[int, tuple[int, Key]] = field(default_factory=dict)

    def uses_image(self, config: AppConfig) -> bool:
        """Does an app with this configuration run in an image?"""
        return self.shop.means.used_for(config)

    def key(self, look: AppState, update: Update) -> Key:
        """The image that the app's files have, whether or not they need one."""
        return Key(look.app, look.tree(update.ref))

    def keep(self, look: AppState, due: Sequence[Update]) -> None:
        """End what is built for something else than what is due, or was asked for by hand."""
        places = {(one.target.environment, one.values.source.ref, one.values.source.commit) for one in due}
        by_hand = {deployment for deployment, _ in self.asked.values()}
        for one in self.store.builds.of_app(str(look.app)):
            if (one.environment, one.ref, one.commit) not in places and one.id not in by_hand:
                self.store.builds.end(one.id, "superseded", "something else is to run there")
        keys = {self.key(look, update) for update in due} | {key for _, key in self.asked.values()}
        self.builds.keep(look.app, keys)

    def ask(self, look: AppState, update: Update, request: int) -> Update | Waiting:
        """As `with_image`, for a deployment by hand: its build goes on, whatever is due meanwhile."""
        ready = self.with_image(look, update)
        if isinstance(ready, Waiting) and ready.deployment:
            self.asked[request] = (ready.deployment, self.key(look, update))
        return ready

    def is_building(self, request: int) -> bool:
        """Is the image being built that this request waits for?"""
        return request in self.asked and self.builds.join(self.asked[request][1], self.asked[request][0])

    def with_image(self, look: AppState, update: Update) -> Update | Waiting:
        """The update with its image's digest, or what it waits for.

        Raises DppctlError when the app cannot have the image that it should have, GitError when git fails.
        """
        config = look.config(update.ref)
        dockerfile = look.app.file((config.build or Build()).dockerfile)
        entry = look.mirror.entries(update.ref.commit, [dockerfile])[dockerfile]
        kind = self.shop.means.kind(look.app, config, entry is not None and entry[0] == "blob")
        if kind is None:
            return update
        source = update.values.source
        wanted = PendingBuild(
            str(look.app), update.target.environment, source.ref, source.commit, update.values.request
        )
        if (error := self.store.builds.failure(wanted)) is not None:
            return Waiting(None, f"it has no image: {error.partition(chr(10))[0]}")
        try:
            if isinstance(kind, Ready):
                return self._pinned(update, self.shop.ready(kind.reference))
            key = self.key(look, update)
            if image := self._found(key):
                return self._pinned(update, image)
        except RegistryAwayError as error:
            return self._put_off(wanted, str(error))
        return self._build(look, update, kind, wanted, key)

    def _found(self, key: Key) -> str | None:
        """The image of these files: first the one that was deployed before, whatever its tag names now."""
        known = self.store.images.find(str(key.app), key.tree)
        try:
            if known and self.shop.registry.digest(Reference.parse(known)):
                return known
            if image := self.shop.tagged(key.app, key.tree):
                self.store.images.record(str(key.app), key.tree, image)
                return image
        except RegistryDeniedError as error:  # some say so of what is not there yet; the push will tell
            _log.info("registry", app=key.app, answer=error)
        return None

    def _build(
        self, look: AppState, update: Update, kind: FromDockerfile | Default, wanted: PendingBuild, key: Key
    ) -> Waiting:
        error = self.builds.take_error(key)
        if isinstance(error, BuildPutOffError):
            return self._put_off(wanted, str(error))
        destination = self.shop.means.destination(key.app, key.tree)
        deployment = self.store.builds.record(wanted, f"building {destination}")
        if isinstance(error, BuildError):
            self.store.builds.end(deployment, "failed", str(error))
            return Waiting(deployment, f"it has no image: {str(error).partition(chr(10))[0]}")
        if not self.builds.join(key, deployment):
            # All that it needs is taken from git now: the mirror belongs to this thread.
            work = self.shop.work(
                key.app,
                key.tree,
                update.values.source,
                kind,
                lambda target: look.mirror.export(update.ref.commit, look.app.path, target),
            )
            self.builds.start(key, work, deployment)
        return Waiting(deployment, f"building its image {destination}")

    def _put_off(self, wanted: PendingBuild, why: str) -> Waiting:
        """What may pass by itself is waited for, but not forever."""
        deployment = self.store.builds.record(wanted, f"waiting: {why}")
        since = self.store.deployments.get(deployment)
        if since and since.created < datetime.now(UTC) - timedelta(seconds=BUILD_PATIENCE_SECONDS):
            self.store.builds.end(deployment, "failed", why)
            return Waiting(deployment, f"it has no image: {why}")
        return Waiting(deployment, why, retry=True)

    @staticmethod
    def _pinned(update: Update, image: str) -> Update:
        return Update(update.target, update.values.model_copy(update={"image": image}))


def make_image_resolver(settings: Settings, store: Store, on_end: Callable[[RepoPath], None]) -> ImageResolver:
    """`on_end` is called when a build of an app has ended. Raises DppctlError for a builder that does not work."""
    builds = BuildQueue(
        settings.images.build_concurrency,
        store.deployments.append_log,
        lambda key, image: store.images.record(str(key.app), key.tree, image),
        on_end,
    )
    return ImageResolver(make_image_service(settings), store, builds)
