"""Crontab lines: what both clocks read alike, and what is refused."""

import os
import secrets
from datetime import UTC, datetime
from itertools import islice

import pytest
from cronsim import CronSim

from bot.kubernetes import ApiError, KubernetesClient
from bot.model.schedules import normalise_schedule

SAME = [
    ("0 6 * * *", "0 6 * * *"),
    ("  0\t6 * * 1-5 ", "0 6 * * 1-5"),
    ("*/15 0-6/2 1,15 JAN-mar *", "*/15 0-6/2 1,15 JAN-mar *"),
    ("0 6 * * MON-FRI", "0 6 * * MON-FRI"),
    ("0 6 * * 7", "0 6 * * 0"),
    ("0 6 * * 6-7", "0 6 * * 0,6"),
    ("0 6 * * 1,7", "0 6 * * 0,1"),
    ("0 6 * * mon,7", "0 6 * * 0,1"),
    ("0 6 * * 0-7", "0 6 * * 0,1,2,3,4,5,6"),
    ("0 6 * * 1-7/2", "0 6 * * 0,1,3,5"),
    ("0 6 * * */7", "0 6 * * */7"),
    ("0 6 */2 * 1", "0 6 1-31/2 * 1"),
    ("0 6 1 * */2", "0 6 1 * 0-6/2"),
    ("0 6 */2 * *", "0 6 */2 * *"),
]
REFUSED = [
    "0 6 L * *", "0 6 LW * *", "0 6 * * sun#1", "0 6 * * 5L", "0 6 * * 7#2", "0 6 1-5,L * *", "0 6 ? * *", "@daily",
    "0 6 * *", "61 * * * *", "0 6 * * 8", "0 6 * * 7-1", "0 6 * * foo", "0 6 31 2 *", "*/0 * * * *", "TZ=UTC 0 6 * *",
]  # fmt: skip


@pytest.mark.parametrize(("line", "normal"), SAME)
def test_a_schedule_is_written_as_both_clocks_read_it(line: str, normal: str) -> None:
    assert normalise_schedule(line) == normal
    assert normalise_schedule(normal) == normal
    now = datetime(2026, 1, 1, tzinfo=UTC)
    if "*/" not in line:  # what Debian's cron takes for *
        assert list(islice(CronSim(line, now), 50)) == list(islice(CronSim(normal, now), 50))


@pytest.mark.parametrize("line", REFUSED)
def test_what_kubernetes_refuses_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        normalise_schedule(line)


@pytest.mark.needs("an API server")
def test_a_real_api_server_takes_what_is_taken_and_refuses_what_is_not() -> None:
    api = KubernetesClient(os.environ["DPPCTL_TEST_KUBECONFIG"])
    namespace = f"schedules-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    path = f"/apis/batch/v1beta1/namespaces/{namespace}/cronjobs"
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}

    def make(schedule: str) -> None:
        spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": pod}}}
        api.create(path, {"metadata": {"name": f"a-{secrets.token_hex(4)}"}, "spec": spec})

    for line, _ in SAME:
        make(normalise_schedule(line))
    for line in ("0 6 * * 7", "0 6 L * *", "0 6 * * sun#1", "0 6 * * 5L", "0 6 LW * *", "0 6 * * 6-7"):
        with pytest.raises(ApiError, match="schedule"):
            make(line)
