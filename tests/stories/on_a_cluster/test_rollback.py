"""`dppctl rollback` on a real cluster: by the bot, the ops repo, helm and a Job that renames databases."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.git.mirror import Mirror
from bot.kubernetes import KubernetesClient
from cli.main import dppctl
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Rules
from cluster.sync.helm.desired import release_name
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.sync import HelmSync
from cluster.sync.repositories import Repositories
from tests.support.charts.rendering import CHART
from tests.support.cluster import SECONDS, TO_SQL, ClusterImages, Namespace
from tests.support.helm import helm
from tests.support.stories.bot import Story, running
from tests.support.stories.pipelines_release import app, query
from tests.support.waiting import eventually
from tests.support.world import STAGING, World

CONFIG = {
    "continuousDeployment": [
        {
            "appRepoPath": "ann/app",
            "opsRepoPath": "ann/ops",
            "actions": [{"branch": "master", "environment": "staging"}],
        }
    ]
}
RELEASE = release_name(STAGING)
NUMBERS = "select count(*) from numbers"


@contextmanager
def syncing(world: World, namespace: Namespace) -> Iterator[None]:
    """Run the cluster's sync beside the bot; what it reports comes into the store, as by the receiver."""
    folder = world.folder / "charts"
    folder.mkdir()
    mirror = Mirror(world.git, world.settings.github.repository_url("ann/ops"), world.folder / "mirror")
    program = Helm(str(helm(4)), world.folder / "helm", SECONDS, [])
    context = SyncContext(
        api=KubernetesClient(),
        helm=program,
        charts=Charts(folder),
        repositories=Repositories({"ann/ops": mirror}),
        report=world.store.deployments.report,
        slots=threading.Semaphore(1),
    )
    rules = Rules(helm_seconds=SECONDS, drift_seconds=None)
    sync = HelmSync(context, frozenset({STAGING}), {"staging": namespace.name}, rules, threading.Event())
    ended = threading.Event()

    def wake() -> None:
        while not ended.wait(1):
            sync.wake()

    threads = [threading.Thread(target=sync.run), threading.Thread(target=wake)]
    with closing(program):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            sync.stop()
            for thread in threads:
                thread.join()


class Environment:
    """An environment of the cluster whose app is pushed to, and whose commands are typed."""

    def __init__(self, story: Story, namespace: Namespace, images: ClusterImages, folder: Path) -> None:
        self._story, self._namespace, self._images, self._folder = story, namespace, images, folder

    def push(self, rows: int) -> None:
        """Push an app that makes so many rows, and wait until they are there."""
        files = app(TO_SQL, rows=rows)
        image = self._images.app(self._folder, files)
        self._story.app.push({**files, ".dppctl.yaml": json.dumps({"image": image, **CONFIG})})
        self._story.reconcile()

        def has_ended() -> bool:
            return self._story.last().state not in ("building", "waiting", "running")

        eventually(has_ended, "it has ended", SECONDS)
        last = self._story.last()
        assert (last.state, self.rows()) == ("succeeded", str(rows)), self._namespace.describe()

    @contextmanager
    def bot(self) -> Iterator[None]:
        """Have the bot take what is typed, as long as the block."""
        with running(self._story.loop):
            yield

    def type(self, *words: str) -> tuple[int, str]:
        """Type a command; its exit code, and what it says."""
        ran = CliRunner().invoke(dppctl, [*words, "--yes", "--config", str(self._story.world.config)])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.output

    def rows(self) -> str:
        return query(self._namespace, NUMBERS, RELEASE)

    def remove(self, database: str) -> None:
        query(self._namespace, f"drop database {database}", RELEASE)


@pytest.fixture
def environment(namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path) -> Iterator[Environment]:
    namespace.database_volume(RELEASE, cluster_images.python)
    registry = cluster_images.registry
    with World(tmp_path, IMAGE_REGISTRIES=registry, PLAIN_HTTP_REGISTRIES=registry) as world:
        world.write_config()
        chart = {f"chart/{file.relative_to(CHART)}": file.read_text() for file in CHART.rglob("*") if file.is_file()}
        people = cluster_images.people(database=cluster_images.database(), backoffLimit=1)
        world.ops.push({**chart, "environments/staging/values.yaml": json.dumps(people)})
        story = Story(world, environments=("staging",))
        with syncing(world, namespace):
            yield Environment(story, namespace, cluster_images, tmp_path)


def test_going_back_takes_the_database_of_then_and_says_so_when_that_is_gone(environment: Environment) -> None:
    environment.push(5)
    environment.push(7)
    with environment.bot():
        code, said = environment.type("rollback", "ann/app", "staging", "-m", "wrong rows")
        assert (code, environment.rows()) == (0, "5"), said
        assert "5 rows; back to what it was, nothing ran" in said

        environment.remove("pipelines_previous")
        code, said = environment.type("rollback", "ann/app", "staging", "--to", "2")
        assert (code, environment.rows()) == (1, "5"), said
        assert "is not kept any more, so nothing ran; `dppctl rollback ann/app staging --run`" in said

        code, said = environment.type("rollback", "ann/app", "staging", "--to", "2", "--run")
        assert (code, environment.rows()) == (0, "7"), said
