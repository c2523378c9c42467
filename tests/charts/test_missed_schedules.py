"""A schedule whose time passed while nobody looked: the controller starts what was missed, once, if not too late."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.kubernetes import KubernetesClient, Object
from bot.model.values import Pipeline
from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import CHART
from tests.support.cluster import Namespace
from tests.support.needs import needs
from tests.support.waiting import eventually


@pytest.fixture
@needs("helm")
def namespace(tmp_path: Path, kubeconfig: str) -> Iterator[Namespace]:
    assert kubeconfig
    made = Namespace(f"missed-{secrets.token_hex(4)}", tmp_path)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")


def daily(ago: timedelta) -> str:
    time_of_day = datetime.now(UTC) - ago
    return f"{time_of_day.minute} {time_of_day.hour} * * *"


def test_what_was_missed_is_made_up_for_once_and_not_when_it_is_too_late(namespace: Namespace, kubeconfig: str) -> None:
    schedules = {
        "./late": daily(timedelta(minutes=30)),
        "./too-late": daily(timedelta(hours=3)),
        "./often": "* * * * *",
    }
    pipelines = tuple(Pipeline(id=name, schedule=schedule) for name, schedule in schedules.items())
    namespace.deploy(CHART, bot_values(pipelines=pipelines))
    api = KubernetesClient(kubeconfig)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for found in namespace.get("cronjobs"):  # nobody looked for a day
        path = api.path(found, namespace.name)
        api.patch(f"{path}/status", {"status": {"lastScheduleTime": yesterday}})

    def started() -> dict[str, int]:
        names = {found["metadata"]["name"]: _pipeline(found) for found in namespace.get("cronjobs")}
        owners = [
            owner["name"] for job in namespace.get("jobs") for owner in job["metadata"].get("ownerReferences", [])
        ]
        return {names[owner]: owners.count(owner) for owner in owners}

    eventually(lambda: started().keys() >= {"./late", "./often"}, "what was missed starts", 60)
    time.sleep(12)  # for what must not happen: the controller looks every 10 s
    assert started() == {"./late": 1, "./often": 1}


def _pipeline(cron_job: Object) -> str:
    return str(cron_job["metadata"]["annotations"]["dppctl.io/pipeline"])
