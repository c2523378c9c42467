"""Images that need not be built: unchanged files, a hundred tags; and how many builds run at a time."""

import dataclasses
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row, spread
from bot.git.command import Git
from bot.images.builders.interface import Builder, Order
from bot.images.decide import FromDockerfile
from bot.loop import Loop
from bot.model.app_config import Build
from bot.model.names import RepoPath
from bot.model.registration import parse_registration
from bot.settings import Settings, load_settings
from bot.store.store import Store
from tests.support.forge import APP, Forge, Repository
from tests.support.registry import running_registry

SECONDS, AT_A_TIME, APPS, TAGS = 0.3, 2, 4, 100
DOCKERFILE = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nRUN busybox sleep 2\nCOPY . /app\n"
CONFIG = (
    "continuousDeployment: [{{appRepoPath: {app}, opsRepoPath: ann/ops, actions: "
    "[{{branch: master, environment: {env}-staging}}, {{tags: true, environment: {env}-production}}]}}]\n"
)
ENTRY = "- {{appRepoPath: {app}, opsRepoPath: ann/ops, environments: [{env}-staging, {env}-production]}}\n"


class Counting:
    """A builder that counts what the real one is asked for."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._lock = threading.Lock()
        self._now = self.builds = self.most = 0

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:
        with self._lock:
            self.builds += 1
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self._builder.build(order, log, stop)
        finally:
            with self._lock:
                self._now -= 1

    def prune(self, apps: Collection[str] | None = None) -> None:
        self._builder.prune(apps)


def images(bench: Bench) -> Result:
    """Measure four apps at once, then tags of what an app runs."""
    missing = [name for name in ("buildah", "runc", "docker-registry", "busybox") if not shutil.which(name)]
    if missing:
        row = Row("images: four apps at once", "built", f"this machine lacks {', '.join(missing)}", None)
        return Result("Images that are not built again", [row])
    times, tags = (2, 5) if bench.quick else (20, TAGS)
    with (
        running_registry(bench.new_folder() / "registry") as registry,
        _bot(bench, registry.host) as (loop, store, apps, counting),
    ):
        _settle(loop, store, 0)
        for app in apps:
            _push(app)
        started = time.perf_counter()
        _settle(loop, store, APPS)
        together, most = time.perf_counter() - started, counting.most
        looks, steps = [], []
        tree = apps[0].git("rev-parse", "HEAD^{tree}")
        for number in numbered(times, "tag"):
            apps[0].tag(f"v0.{number}")
            started = time.perf_counter()
            loop.reconcile({apps[0].name})
            looks.append(time.perf_counter() - started)
            started = time.perf_counter()
            name, service = RepoPath(apps[0].name), loop._images.service
            if not service.tagged(name, service.tag(name, tree, FromDockerfile(Build()), DOCKERFILE)):
                raise RuntimeError("the registry has lost an image")
            steps.append(time.perf_counter() - started)
        for number in range(tags):
            apps[1].tag(f"v1.{number}")
        _settle(loop, store, APPS + 2)
        builds = counting.builds
        deployed = {one.environment: one for one in store.deployments.newest(1000)}
    if not {"e0-production", "e1-production"} <= set(deployed):
        raise RuntimeError("the tags were not deployed")
    median = statistics.median(steps)
    rows = [
        Row(f"{APPS} apps pushed at once: builds at a time", f"the setting, {AT_A_TIME}", str(most), most == AT_A_TIME),
        Row("the image of unchanged files", f"at most {SECONDS} s", f"{median:.3f} s", median <= SECONDS),
        Row("… the whole look at a tag of them", "none: reported", f"{statistics.median(looks):.2f} s", None),
        Row(f"{times} tags one by one, {tags} at once, {APPS} apps: builds", str(APPS), str(builds), builds == APPS),
    ]
    details = (
        f"The {APPS} apps' builds, each with a RUN of 2 s, were done {together:.1f} s after the first look. The image "
        f"of unchanged files is the registry's answer to a HEAD: {spread(steps)}; no buildah is started. The look at a "
        f"tag is all that the bot does, with `ls-remote`, `fetch`, the ops commit and its push: {spread(looks)}."
    )
    return Result("Images that are not built again", rows, details)


@contextmanager
def _bot(bench: Bench, registry: str) -> Iterator[tuple[Loop, Store, list[Repository], Counting]]:
    forge = Forge(bench.new_folder())
    forge.repository("ann/ops").push({"README.md": ""})
    apps = [forge.repository(f"ann/app{number}") for number in range(APPS)]
    entries = "".join(ENTRY.format(app=app.name, env=f"e{number}") for number, app in enumerate(apps))
    settings = _settings(forge, registry)
    store, git = Store(settings.database_url), Git(settings)
    loop = Loop(settings, parse_registration(f"apps:\n{entries}", "apps.yaml"), git, store, lambda: None)
    service = loop._images.service
    counting = Counting(service.builder)
    loop._images.service = dataclasses.replace(service, builder=counting)
    try:
        yield loop, store, apps, counting
    finally:
        loop.close()
        git.close()
        store.close()


def _settings(forge: Forge, registry: str) -> Settings:
    given = {"GITHUB_URL": forge.url, "WEBHOOK_SECRETS": "x", "REGISTRY": registry, "BUILDER": "buildah"}
    given["BUILD_CONCURRENCY"] = str(AT_A_TIME)
    settings = load_settings(forge.folder, {f"DPPCTL_{name}": value for name, value in given.items()})
    settings.state_dir.mkdir()
    return settings


def _push(app: Repository) -> None:
    environment = f"e{app.name[-1]}"
    shutil.copy(shutil.which("busybox") or "", app.work / "busybox")
    app.push(
        {**APP, "Dockerfile": DOCKERFILE, "app": app.name, ".dppctl.yaml": CONFIG.format(app=app.name, env=environment)}
    )


def _settle(loop: Loop, store: Store, deployed: int) -> None:
    """Wait until so many environments have something to run."""
    loop.reconcile(set(loop._apps))
    while sum(bool(found.newest and found.newest.ops_commit) for found in store.deployments.environments()) < deployed:
        loop.take()
        time.sleep(0.02)
