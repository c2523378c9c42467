"""Runs on a real cluster that are killed on their way to the database.

One installed database for all of them: what a test leaves is what the next one begins with.
"""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cluster.next_database.databases import LOCK
from tests.support.charts.rendering import CHART
from tests.support.cluster import CODE, SECONDS, TO_SQL, ClusterImages, Namespace, open_namespace, selected
from tests.support.helm import kubectl
from tests.support.stories.pipelines_release import app, bot, last_states, query
from tests.support.waiting import eventually

# Writes as many rows as it is told, slowly enough to be killed in the middle.
CODE_BY_SETTINGS = "import os, time\ntime.sleep(4)\n" + CODE.replace("range(5)", "range(int(os.environ['ROWS']))")
COUNT = "select count(*) from numbers"
RUNS = "select count(*) from pg_stat_activity where application_name like 'dppctl run %'"
WAITS = f"{RUNS} and wait_event_type = 'Lock'"


class Release:
    """An environment whose runs make as many rows as they are told."""

    def __init__(self, namespace: Namespace, images: ClusterImages, folder: Path) -> None:
        self.namespace = namespace
        files = app(TO_SQL)
        spec = json.loads(files["pipeline-spec.yaml"])
        spec["load"]["pipeline"][0]["code"] = CODE_BY_SETTINGS
        self._image = images.app(folder, {"pipeline-spec.yaml": json.dumps(spec)})
        self._people = images.people(database=images.database(), backoffLimit=4)
        self.rows = 0
        self.killed = ""  # the uid of the pod that was killed last

    def deploy(self, rows: int) -> None:
        """Have the Job begin that makes so many rows."""
        self.rows = rows
        env = {"env": [{"name": "ROWS", "value": str(rows)}]}
        self.namespace.deploy(CHART, self._people, env, bot(self._image))

    def pod(self, component: str = "job") -> Any:
        """The newest run's pod; None: there is none yet."""
        found = self.namespace.get("pods", *selected("app", component))
        return found[-1] if found else None

    def is_running(self, container: str) -> bool:
        """Whether the newest run is at this container."""
        status = (self.pod() or {}).get("status", {})
        states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        return any(one["name"] == container and "running" in one["state"] for one in states)

    def ask(self, sql: str) -> str:
        """What the current database says; nothing at the moment of a switch, which ends all sessions."""
        with suppress(AssertionError):
            return query(self.namespace, sql)
        return ""

    def kill(self) -> None:
        """End the newest run's pod without a word; its Job makes another one."""
        found = self.pod()["metadata"]
        self.killed = str(found["uid"])
        self.namespace.kubectl("delete", "pod", found["name"], "--grace-period=0", "--force")

    def forget_turn(self) -> None:
        """Say that the run which was killed is dead, if it has its turn; it would have it for three minutes more."""
        note = "select shobj_description(oid, 'pg_database') from pg_database where datname = 'pipelines_next'"
        if self.killed in self.ask(note):
            query(self.namespace, "comment on database pipelines_next is ''")

    def ends_well(self) -> None:
        """Wait until what the newest deployment made is there, and its Job has succeeded."""

        def is_done() -> bool:
            job = self.namespace.get("jobs", *selected("app", "job"))[-1]
            return bool(job["status"].get("succeeded")) and self.ask(COUNT) == str(self.rows)

        try:
            eventually(is_done, f"{self.rows} rows", SECONDS)
        except BaseException:
            print(self.namespace.describe(), last_states(self.namespace))
            raise

    @contextmanager
    def held(self, sql: str) -> Iterator[None]:
        """Have somebody's session hold locks, as long as the block."""
        somebody = "pg_stat_activity where application_name = 'somebody'"
        url = "postgresql://pipelines@127.0.0.1/pipelines?application_name=somebody"
        options = " ".join(f'--command="{one}"' for one in ("begin", sql, "select pg_sleep(600)"))
        with self._in_database(f"psql --quiet '{url}' {options}"):
            eventually(lambda: self.ask(f"select 1 from {somebody} and query like '%sleep(600)%'"), "it is held")
            try:
                yield
            finally:
                query(self.namespace, f"select pg_terminate_backend(pid) from {somebody}")

    @contextmanager
    def read(self, allowed: set[int]) -> Iterator[None]:
        """Have people read all the while: they see all of what was, or all of what is new."""
        url = "postgresql://pipelines@127.0.0.1/pipelines"
        # It ends when nobody takes the dots any more.
        loop = f"while echo .; do psql --tuples-only --no-align {url} --command='{COUNT}'; sleep 0.3; done"
        seen: list[str] = []
        with self._in_database(loop) as reading:
            lines = reading.stdout
            assert lines
            words = (line.strip() for line in lines)
            following = threading.Thread(target=lambda: seen.extend(word for word in words if word.isdecimal()))
            following.start()
            try:
                yield
                eventually(lambda: seen and seen[-1] == str(self.rows), "people read what is new")
            finally:
                reading.kill()
                following.join()
        assert set(map(int, seen)) == allowed

    @contextmanager
    def _in_database(self, shell: str) -> Iterator[subprocess.Popen[str]]:
        program = f'export PGPASSWORD="$POSTGRES_PASSWORD"; {shell}'
        command = [kubectl(), "--namespace", self.namespace.name, "exec", "app-database-0", "--", "sh", "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
            yield started


@pytest.fixture(scope="module")
def release(cluster_images: ClusterImages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    folder = tmp_path_factory.mktemp("kills")
    with open_namespace(folder) as namespace:
        namespace.database_volume("app", cluster_images.python)
        made = Release(namespace, cluster_images, folder)
        made.deploy(3)
        made.ends_well()
        query(namespace, "create table beside (number integer)")
        yield made


def at_begin(release: Release) -> None:
    with release.held(f"select pg_advisory_lock({LOCK})"):
        release.deploy(release.rows + 1)
        eventually(lambda: release.is_running("begin"), "it begins", SECONDS)
        release.kill()


def at_copy(release: Release) -> None:
    with release.held("lock table beside in access exclusive mode"):
        release.deploy(release.rows + 1)
        eventually(lambda: release.ask(WAITS) not in ("", "0"), "it copies", SECONDS)
        release.kill()


def at_pipelines(release: Release) -> None:
    release.deploy(release.rows + 1)
    eventually(lambda: release.is_running("pipelines"), "it runs", SECONDS)
    release.kill()


def before_the_switch(release: Release) -> None:
    release.deploy(release.rows + 1)
    eventually(lambda: release.is_running("pipelines"), "it runs", SECONDS)
    with release.held(f"select pg_advisory_lock({LOCK})"):
        eventually(lambda: release.is_running("finish"), "it waits before the switch", SECONDS)
        release.kill()


@pytest.mark.parametrize("kill", [at_begin, at_copy, at_pipelines, before_the_switch])
def test_a_run_that_is_killed_leaves_whole_data_and_the_next_try_ends_well(
    release: Release, kill: Callable[[Release], None]
) -> None:
    with release.read({release.rows, release.rows + 1}):
        kill(release)
        release.forget_turn()
        release.ends_well()
    found = query(release.namespace, "select datname from pg_database where datname like 'pipelines%' order by 1")
    assert found.split() == ["pipelines", "pipelines_previous"]
