"""On a real cluster an environment's database has a run's data whole or not at all, and only what is expected of it."""

import json
from pathlib import Path
from typing import Any

from bot.model.expectations import Expectation
from cluster.sync.helm.pod_status import UNEXPECTED
from tests.support.charts.rendering import CHART
from tests.support.cluster import POLL, SECONDS, TO_SQL, ClusterImages, Namespace, selected
from tests.support.stories.pipelines_release import app, bot, ended, last_states, query
from tests.support.waiting import eventually

DROP = (Expectation.model_validate({"maxDropPercent": 20, "line": 7}),)
FAIL = {"run": "fail", "code": "raise RuntimeError('after the rows were written')"}
# Waits in the middle, with the rows in its database.
HANG = {"run": "hang", "code": "import time; time.sleep(3600)"}
COUNT = "select count(*) from numbers"


def databases(namespace: Namespace) -> set[str]:
    return set(query(namespace, "select datname from pg_database where datname like 'pipelines%'").split())


def exit_codes(namespace: Namespace) -> dict[str, Any]:
    return {name: state.get("exitCode") for name, state in last_states(namespace).items()}


def runs(namespace: Namespace, container: str) -> bool:
    """Return whether a container of the newest Job's pod is at work."""
    statuses = namespace.get("pods", selected("app", "job"))[-1]["status"].get("initContainerStatuses", [])
    return any(each["name"] == container and "running" in each["state"] for each in statuses)


def test_what_a_run_leaves_is_current_whole_or_not_at_all(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    namespace.database_volume("app", cluster_images.python)
    people = cluster_images.people(database=cluster_images.database())
    five = cluster_images.app(tmp_path, app(TO_SQL))
    namespace.deploy(CHART, people, bot(five))
    ended(namespace)
    assert query(namespace, COUNT) == "5"

    # A pipeline that fails when it has written already changes nothing.
    failing = cluster_images.app(tmp_path, app(TO_SQL, FAIL, rows=7))
    namespace.deploy(CHART, people, bot(failing))
    ended(namespace, 2)
    assert exit_codes(namespace)["pipelines"] == 1
    assert query(namespace, COUNT) == "5"

    # Fewer rows than expected: the lines are the container's message, and nothing is taken.
    three = cluster_images.app(tmp_path, app(TO_SQL, rows=3))
    namespace.deploy(CHART, people, bot(three, expect=DROP))
    ended(namespace, 3)
    states = last_states(namespace)
    assert states["finish"].get("exitCode") == UNEXPECTED, states
    assert states["finish"]["message"] == "numbers: 3 rows, 40 % fewer than the 5 before; maxDropPercent is 20"
    assert query(namespace, COUNT) == "5"

    # Somebody takes it: another request is another Job.
    namespace.deploy(CHART, people, bot(three, expect=DROP, accept=True, request=1))
    ended(namespace, 4)
    assert query(namespace, COUNT) == "3"
    assert databases(namespace) == {"pipelines", "pipelines_previous"}

    # A run that is killed in the middle is no hindrance for the next one.
    namespace.deploy(CHART, people, bot(cluster_images.app(tmp_path, app(TO_SQL, HANG))))
    named = "select count(*) from pg_stat_activity where application_name like 'dppctl run %'"
    # Not killed before: of one that has its turn, and no session yet, the turn is kept for two minutes.
    alive = "the pipelines run, and have a session"
    eventually(lambda: runs(namespace, "pipelines") and query(namespace, named) == "1", alive, SECONDS, POLL)
    pod = namespace.get("pods", selected("app", "job"))[-1]["metadata"]["name"]
    job = namespace.get("jobs", selected("app", "job"))[-1]["metadata"]["name"]
    namespace.kubectl("delete", "job", job, "--wait=false", "--cascade=orphan")
    namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    assert query(namespace, COUNT) == "3"
    namespace.deploy(CHART, people, bot(cluster_images.app(tmp_path, app(TO_SQL, rows=6))))
    ended(namespace, 5)
    assert query(namespace, COUNT) == "6"

    # Going back to what the deployment before left: its Job runs again, and none of its pipelines do.
    (accepted,) = [
        one["metadata"]["name"]
        for one in namespace.get("jobs", selected("app", "job"))
        if one["status"].get("succeeded") and ended_with(namespace, one["metadata"]["name"], 3)
    ]
    namespace.kubectl("delete", "job", accepted)
    namespace.deploy(CHART, people, bot(three, expect=DROP, accept=True, request=1))
    ended(namespace, 5)
    assert query(namespace, COUNT) == "3"
    log = namespace.kubectl("logs", f"job/{accepted}", "--container=pipelines").splitlines()
    assert [json.loads(line)["event"] for line in log] == ["ended"]
    assert json.loads(log[0])["receipt"]["pipelines"][0]["rows"] == 3


def ended_with(namespace: Namespace, job: str, rows: int) -> bool:
    """Whether a Job's receipt has so many rows."""
    last = namespace.kubectl("logs", f"job/{job}", "--container=pipelines").splitlines()[-1]
    return bool(json.loads(last)["receipt"]["pipelines"][0]["rows"] == rows)
