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
from tests.support.cluster import CODE, POLL, SECONDS, TO_SQL, ClusterImages, Namespace, open_namespace, selected
from tests.support.helm import kubectl
from tests.support.stories.pipelines_release import app, bot, last_states, query
from tests.support.waiting import eventually

# Writes as many rows as it is told, slowly enough to be killed in the middle.
CODE_BY_SETTINGS = "import os, time\ntime.sleep(int(os.environ['SECONDS']))\n" + CODE.replace(
    "range(5)", "range(int(os.environ['ROWS']))"
)
COUNT = "select count(*) from numbers"
RUNS = "select count(*) from pg_stat_activity where application_name like 'dppctl run %'"
TURN = (f"select pg_advisory_lock({LOCK})", "postgres")  # where runs take it
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

    def deploy(self, rows: int, seconds: int = 4) -> None:
        """Have the Job begin that makes so many rows in at least so many seconds."""
        self.rows = rows
        env = {"env": [{"name": "ROWS", "value": str(rows)}, {"name": "SECONDS", "value": str(seconds)}]}
        self.namespace.deploy(CHART, self._people, env, bot(self._image))

    def pod(self, component: str = "job") -> Any:
        """The newest run's pod; None: there is none yet."""
        found = self.namespace.get("pods", selected("app", component))
        return found[-1] if found else None

    def is_running(self, container: str, component: str = "job") -> bool:
        """Whether the newest run is at this container."""
        status = (self.pod(component) or {}).get("status", {})
        states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        return any(one["name"] == container and "running" in one["state"] for one in states)

    def ask(self, sql: str) -> str:
        """What the current database says; nothing at the moment of a switch, which ends all sessions."""
        with suppress(AssertionError):
            return query(self.namespace, sql)
        return ""

    def waits_for_a_lock(self) -> bool:
        """Whether a run waits for what somebody holds."""
        return query(self.namespace, WAITS, database="postgres") != "0"

    def kill(self, component: str = "job") -> None:
        """End the newest run's pod without a word; its Job makes another one."""
        found = self.pod(component)["metadata"]
        self.killed = str(found["uid"])
        self.namespace.kubectl("delete", "pod", found["name"], "--grace-period=0", "--force")

    def forget_turn(self) -> None:
        """Say that the run which was killed is dead, if it has its turn; it would have it for three minutes more."""
        note = "select shobj_description(oid, 'pg_database') from pg_database where datname = 'pipelines_next'"
        if self.killed and self.killed in query(self.namespace, note, database="postgres"):
            query(self.namespace, "comment on database pipelines_next is ''", database="postgres")

    def ends_well(self) -> None:
        """Wait until what the newest deployment made is there, and its Job has succeeded."""

        def is_done() -> bool:
            self.forget_turn()  # which it may have taken in the seconds in which its kubelet ended it
            job = self.namespace.get("jobs", selected("app", "job"))[-1]
            return bool(job["status"].get("succeeded")) and self.ask(COUNT) == str(self.rows)

        self.wait(is_done, f"{self.rows} rows", 1)

    def wait(self, condition: Callable[[], object], what: str, pause: float = POLL) -> None:
        """Wait until it is so; when it does not come, print what the cluster has."""
        try:
            eventually(condition, what, SECONDS, pause)
        except BaseException:
            print(self.namespace.describe(), last_states(self.namespace))
            raise

    def wait_for(self, container: str, component: str = "job") -> None:
        """Wait until the newest run is at this container."""
        self.wait(lambda: self.is_running(container, component), f"{container} runs")

    @contextmanager
    def held(self, sql: str, database: str = "pipelines") -> Iterator[None]:
        """Have somebody's session hold locks, as long as the block. Advisory locks are of one database."""
        somebody = "pg_stat_activity where application_name = 'somebody'"
        url = f"postgresql://pipelines@127.0.0.1/{database}?application_name=somebody"
        options = " ".join(f'--command="{one}"' for one in ("begin", sql, "select pg_sleep(600)"))
        with self._in_database(f"psql --quiet '{url}' {options}"):
            eventually(lambda: self.ask(f"select 1 from {somebody} and query like '%sleep(600)%'"), "it is held")
            try:
                yield
            finally:
                # From a database that no switch renames, which ends all sessions of it.
                query(self.namespace, f"select pg_terminate_backend(pid) from {somebody}", database="postgres")

    @contextmanager
    def read(self, allowed: set[int]) -> Iterator[None]:
        """Have people read all the while: they see all of what was, or all of what is new."""
        url = "postgresql://pipelines@127.0.0.1/pipelines"
        # psql reads until its session is ended. The loop ends when nobody takes the dots any more.
        read = f"printf '%s\\n' '{COUNT} \\watch 0.3' | psql --tuples-only --no-align {url}"
        loop = f"while echo .; do {read}; sleep 0.3; done"
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
    with release.held(*TURN):
        release.deploy(release.rows + 1)
        release.wait_for("begin")
        release.kill()


def at_copy(release: Release) -> None:
    with release.held("lock table beside in access exclusive mode"):
        release.deploy(release.rows + 1)
        release.wait(release.waits_for_a_lock, "it copies")
        release.kill()


def at_pipelines(release: Release) -> None:
    release.deploy(release.rows + 1)
    release.wait_for("pipelines")
    release.kill()


def before_the_switch(release: Release) -> None:
    release.deploy(release.rows + 1)
    release.wait_for("pipelines")
    with release.held(*TURN):
        release.wait_for("finish")
        release.kill()


def in_the_switch(release: Release) -> None:
    release.deploy(release.rows + 1)
    release.wait_for("pipelines")
    # It waits in its transaction, when it has written its note and closed the current database.
    with release.held("comment on database pipelines_previous is 'looked at'", "postgres"):
        release.wait_for("finish")
        release.wait(release.waits_for_a_lock, "it is in the middle")
        release.kill()


def after_the_switch(release: Release) -> None:
    release.deploy(release.rows + 1)
    release.wait(lambda: release.ask(COUNT) == str(release.rows), "it switched")
    release.kill()


@pytest.mark.parametrize("kill", [at_begin, at_copy, at_pipelines, before_the_switch, in_the_switch, after_the_switch])
def test_a_run_that_is_killed_leaves_whole_data_and_the_next_try_ends_well(
    release: Release, kill: Callable[[Release], None]
) -> None:
    with release.read({release.rows, release.rows + 1}):
        kill(release)
        release.forget_turn()
        release.ends_well()
    found = query(release.namespace, "select datname from pg_database where datname like 'pipelines%' order by 1")
    assert found.split() == ["pipelines", "pipelines_previous"]


def test_a_run_by_the_clock_waits_for_its_turn_and_when_it_is_killed_the_next_try_ends_well(release: Release) -> None:
    before, deployed, by_clock = release.rows, release.rows + 1, release.rows + 2
    (clock,) = release.namespace.get("cronjobs")
    template = clock["spec"]["jobTemplate"]
    spec = template["spec"]["template"]["spec"]
    (pipelines,) = [one for one in spec["initContainers"] if one["name"] == "pipelines"]
    (rows,) = [one for one in pipelines["env"] if one["name"] == "ROWS"]
    rows["value"] = str(by_clock)
    release.deploy(deployed, seconds=20)  # the other one's pod is there before that
    release.wait_for("pipelines")
    with release.read({before, deployed, by_clock}):
        # As `kubectl create job --from=cronjob/…` does.
        job = {"apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"]}
        release.namespace.apply({**job, "metadata": {"name": "clock", "labels": template["metadata"]["labels"]}})
        release.wait_for("begin", "schedule")
        first = release.pod("schedule")["metadata"]["name"]
        release.wait_for("pipelines", "schedule")
        said = release.namespace.kubectl("logs", first, "--container=begin")
        assert said.startswith("waits for another run of this environment")
        assert release.ask(COUNT) == str(deployed)
        release.kill("schedule")
        release.forget_turn()
        release.rows = by_clock
        release.wait(lambda: release.ask(COUNT) == str(by_clock), "the run by the clock switched")
    kept = "select shobj_description(oid, 'pg_database') from pg_database where datname = '{}'"
    notes = [json.loads(query(release.namespace, kept.format(name))) for name in ("pipelines", "pipelines_previous")]
    assert [note["receipt"]["pipelines"][0]["rows"] for note in notes] == [by_clock, before]
    assert notes[0]["job"] == release.pod()["metadata"]["labels"]["job-name"]  # it is no deployment of its own
