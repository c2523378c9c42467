"""From an update that is due to one with its image: looked up, or built first. `bot.images.decide` says which it is."""

import threading
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from bot.errors import PermanentError
from bot.git.export import Files
from bot.images.build_queue import BuildQueue, Key
from bot.images.builders.interface import BuildError, BuildPutOffError
from bot.images.decide import Default, FromDockerfile, ImagePolicy, Ready
from bot.images.registry.errors import RegistryAwayError, RegistryDeniedError
from bot.images.service import ImageService, make_image_service
from bot.limits import BUILD_PATIENCE_SECONDS
from bot.logs import get_logger
from bot.model.app_state import AppState
from bot.model.decisions import Ref, Update
from bot.model.image_reference import Reference
from bot.model.names import RepoPath
from bot.model.previews import is_among
from bot.model.registration import Target
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


class ImageResolver:
    """Finds or has built the images of updates. Safe to use from several threads, for an app one after the other."""

    def __init__(self, service: ImageService, store: Store, builds: BuildQueue) -> None:
        self.service = service
        self._store = store
        self.builds = builds
        # What people asked for by hand and waits for its image, by request: the deployment, and the image.
        self._requests: dict[int, tuple[int, Key]] = {}
        self._keys: dict[Update, Key] = {}  # the images of what is due, until `keep`
        self._wanted: dict[RepoPath, dict[str, set[Key]]] = {}  # the same since then, by app and ops repo

    @property
    def policy(self) -> ImagePolicy:
        """Return which apps run in an image here."""
        return self.service.policy

    def resolve(self, state: AppState, update: Update, files: Files, *, rebuild: bool = False) -> Update | Waiting:
        """Return the update with its image's digest, or what it waits for.

        `files`, the app's at the update's commit, are exported at once when the image is to be built. Without an image
        they are what runs, so they are to be had. `rebuild`: build the image anew for this request. Raises DppctlError
        when the app cannot have the image that it should have, or not all its files; GitError when git fails.
        """
        commit = state.commits[update.ref.commit]
        kind = self.policy.kind(state.app, commit.config, commit.has_dockerfile)
        if rebuild and (kind is None or isinstance(kind, Ready)):
            raise PermanentError(f"{state.app} has no image that is built here; deploy it without --rebuild")
        if kind is None:
            files.fetch()
            return update
        wanted = _pending(update)
        if (error := self._store.builds.failure(wanted)) is not None:
            return Waiting(None, f"it has no image: {_first_line(error)}")
        try:
            if isinstance(kind, Ready):
                return _pinned(update, self.service.ready(state.app, kind.reference))
            if image := self._promoted(state, update):
                return _pinned(update, image)
            dockerfile = files.read(kind.build.dockerfile) if isinstance(kind, FromDockerfile) else ""
            tag = self.service.tag(state.app, commit.tree, kind, dockerfile)
            key = self._keys[update] = Key(state.app, tag, update.values.request if rebuild else None)
            if image := self._find(key):
                return _pinned(update, image)
        except RegistryAwayError as error:
            return self._put_off(wanted, str(error))
        return self._build(update, kind, wanted, key, files)

    def resolve_manual(
        self, state: AppState, update: Update, files: Files, request: int, *, rebuild: bool = False
    ) -> Update | Waiting:
        """Do as `resolve`, for a deployment by hand: its build goes on, whatever is due meanwhile."""
        resolved = self.resolve(state, update, files, rebuild=rebuild)
        key = self._keys.pop(update, None)
        if isinstance(resolved, Waiting) and resolved.deployment and key:
            self._requests[request] = (resolved.deployment, key)
        return resolved

    def is_building(self, request: int) -> bool:
        """Tell whether the image is being built that this request waits for."""
        if request not in self._requests:
            return False
        deployment, key = self._requests[request]
        return self.builds.join(key, deployment)

    def forget(self, request: int) -> None:
        """Let the build of a request end, as nobody waits for it any more."""
        self._requests.pop(request, None)

    def put_off(self, update: Update, why: str) -> Waiting:
        """Have a deployment wait for what may pass by itself, such as a full disk; not forever."""
        return self._put_off(_pending(update), why)

    def give_up(self, update: Update, why: str) -> None:
        """End what waits for the image of an update that is refused: nothing will come of it as things are."""
        wanted = _pending(update)
        for deployment in self._store.builds.of_app(wanted.app):
            if (deployment.environment, deployment.ref, deployment.commit) == (
                wanted.environment,
                wanted.ref,
                wanted.commit,
            ):
                self._store.builds.end(deployment.id, "superseded", why)

    def keep(self, app: RepoPath, ops: str, due: Sequence[Update], elsewhere: Set[str]) -> None:
        """End the app's builds for something else than what is due in an ops repo, or was asked for by hand.

        elsewhere: environments of the app in other ops repos, which are none of our business here.
        """
        wanted = {(update.target.environment, update.ref) for update in due}
        requests = [*self._requests.values()]
        manual = {deployment for deployment, _ in requests}
        for deployment in self._store.builds.of_app(str(app)):
            source, environment = Ref(deployment.ref, deployment.commit), deployment.environment
            if (
                (environment, source) not in wanted
                and not is_among(environment, elsewhere)
                and deployment.id not in manual
            ):
                self._store.builds.end(deployment.id, "superseded", "something else is to run there")
        by_ops = self._wanted.setdefault(app, {})
        by_ops[ops] = {self._keys.pop(update) for update in due if update in self._keys}
        self.builds.keep(app, set().union(*by_ops.values(), (key for _, key in requests)))

    def _promoted(self, state: AppState, update: Update) -> str | None:
        """Return the image in which an environment of the app runs these very files: what staging ran is what ships.

        Not by hand: whoever deploys by hand gets what goes into the image now.
        """
        source, tree = update.values.source, state.commits[update.ref.commit].tree
        if update.values.request is not None or not tree:
            return None
        held = [target.values for target in state.targets.values() if target.values and target.tree == tree]
        of_app = [
            found for found in held if (found.source.repository, found.source.path) == (source.repository, source.path)
        ]
        images = {found.image for found in of_app if found.image}
        while image := self._store.images.newest(str(state.app), images):
            if self._whole(Reference.parse(image)):
                return image
            images.discard(image)
        return None

    def _find(self, key: Key) -> str | None:
        """Return the image with this key: first the one that was deployed before, whatever its tag names now."""
        known = self._store.images.find(str(key.app), key.name)
        if known and self._whole(Reference.parse(known)):
            return known
        tagged = self.policy.destination(key.app, key.tag)
        if key.request is None and (image := self._whole(tagged)):
            self._store.images.record(str(key.app), key.name, image)
            return image
        return None

    def _whole(self, reference: Reference) -> str | None:
        try:
            return self.service.whole(reference)
        except RegistryDeniedError as error:  # some say so of what is not there yet; the push will tell
            _log.info("registry", image=reference, answer=error)
            return None

    def _build(
        self, update: Update, kind: FromDockerfile | Default, wanted: PendingBuild, key: Key, files: Files
    ) -> Waiting:
        error = self.builds.take_error(key)
        if isinstance(error, BuildPutOffError):
            return self._put_off(wanted, str(error))
        destination = self.policy.destination(key.app, key.tag)
        deployment = self._store.builds.record(wanted, f"building {destination}")
        if isinstance(error, BuildError):
            self._store.builds.end(deployment, "failed", str(error))
            return Waiting(deployment, f"it has no image: {_first_line(str(error))}")
        if not self.builds.join(key, deployment):
            # All that it needs is taken from git now: the mirror belongs to this thread.
            rebuild = key.request is not None
            work = self.service.work(key.app, key.tag, update.values.source, kind, files.export, rebuild=rebuild)
            self.builds.start(key, work, deployment)
        return Waiting(deployment, f"building its image {destination}")

    def _put_off(self, wanted: PendingBuild, why: str) -> Waiting:
        """Wait for what may pass by itself, but not forever."""
        deployment = self._store.builds.record(wanted, f"waiting: {why}")
        since = self._store.deployments.get(deployment)
        if since and since.created < datetime.now(UTC) - timedelta(seconds=BUILD_PATIENCE_SECONDS):
            self._store.builds.end(deployment, "failed", why)
            return Waiting(deployment, f"it has no image: {why}")
        return Waiting(deployment, why, retry=True)


def make_image_resolver(
    settings: Settings, targets: Iterable[Target], store: Store, on_end: Callable[[RepoPath], None]
) -> ImageResolver:
    """Make it with a builder that works here; `on_end` is called when a build of an app has ended.

    `targets`: what is registered; what is kept of other apps' builds goes.

    Raises DppctlError for a builder that does not work.
    """
    builds = BuildQueue(
        settings.images.build_concurrency,
        store.deployments.append_log,
        partial(_remember, store),
        on_end,
    )
    service = make_image_service(settings, targets)
    threading.Thread(target=service.prune, name="prune", daemon=True).start()
    return ImageResolver(service, store, builds)


def _pending(update: Update) -> PendingBuild:
    source = update.values.source
    return PendingBuild(
        str(update.target.app),
        update.target.environment,
        source.ref,
        source.commit,
        update.values.request,
        update.facts,
    )


def _remember(store: Store, key: Key, image: str) -> None:
    for name in {key.tag, key.name}:
        store.images.record(str(key.app), name, image)


def _pinned(update: Update, image: str) -> Update:
    return replace(update, values=update.values.model_copy(update={"image": image}))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
