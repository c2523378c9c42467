"""What a release is made of."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load_settings
from cluster.operator.scheduled_runs import PoolSchedules
from cluster.publisher.staged import ALIVE_PORT
from cluster.sync.helm.manifests import schedules_of
from tests.support.charts.apps import APP, EVERYTHING, bot_values, pod_of, pods_of
from tests.support.charts.rendering import Object, of_kind, render
from tests.support.schemas import VERSIONS, validate

pytestmark = pytest.mark.needs("helm")

COMBINATIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "everything": EVERYTHING,
    "database": {"database": {"enabled": True}},
    "database elsewhere": {"database": {"existingSecret": "engine", "existingSecretKey": "url"}},
    "bucket": {"storage": {"bucket": {"path": "data", "existingSecret": "bucket"}}},
    "bucket that people read": {
        "storage": {"bucket": {"path": "data", "existingSecret": "bucket", "url": "https://b.example.org"}},
        "database": {"enabled": True},
    },
    "volume": {"storage": {"volume": {"enabled": True, "accessModes": ["ReadWriteMany"]}}, "site": {"enabled": True}},
    "volume that is there": {"storage": {"volume": {"enabled": True, "existingClaim": "shared"}}},
    "workers": {"workers": {"enabled": True, "runtimeClassName": "gvisor"}},
    "no policies": {"networkPolicy": {"enabled": False}, "database": {"enabled": True, "ui": {"enabled": True}}},
    "own affinity": {
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "storage": {"volume": {"enabled": True}},
    },
    "any user": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
    "no schedules": {"schedules": {"enabled": False}},
    "waiting workers and databases": {"workers": {"enabled": True, "database": True}},
    "no address excepted": {"networkPolicy": {"exceptAddresses": []}},
}


@pytest.mark.parametrize("major", [4, 3])
@pytest.mark.parametrize("people", COMBINATIONS.values(), ids=COMBINATIONS)
def test_objects_are_as_every_kubernetes_from_1_25_on_has_them(
    tmp_path: Path, people: dict[str, Any], major: int
) -> None:
    objects = render(tmp_path, people, bot_values(), major=major)
    validate(objects, VERSIONS if people is EVERYTHING and major == 4 else (VERSIONS[0], VERSIONS[-1]))
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))


def test_long_names_stay_within_what_kubernetes_allows(tmp_path: Path) -> None:
    limits = {"StatefulSet": 52, "CronJob": 52}
    for name in ("x" * 40 + "-123456", "y" * 53):
        objects = render(tmp_path, EVERYTHING, bot_values(), name=name)
        for one in objects:
            assert len(one["metadata"]["name"]) <= limits.get(one["kind"], 63), one
            assert all(len(value) <= 63 for value in one["metadata"]["labels"].values()), one
        validate(objects, ["1.37"])
        assert of_kind(objects, "StatefulSet")[0]["spec"]["serviceName"] in {
            one["metadata"]["name"] for one in of_kind(objects, "Service")
        }


def test_every_object_tells_its_release_and_component(tmp_path: Path) -> None:
    objects = render(tmp_path, EVERYTHING, bot_values())
    for one in objects:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "dppctl-pipelines"
        assert labels["app.kubernetes.io/instance"] == "app"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"]
    components = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in objects}
    assert components == {"job", "schedule", "database", "database-ui", "storage", "site", "test"}


def test_every_pod_keeps_to_the_restricted_profile(tmp_path: Path) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    pods = pods_of(render(tmp_path, EVERYTHING, bot_values()))
    assert len(pods) == 7
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"] + pod.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["nodeSelector"] == {"disk": "ssd"}


def test_the_job_runs_the_chosen_pipelines_and_a_cron_job_each_that_has_a_schedule(tmp_path: Path) -> None:
    objects = render(tmp_path, bot_values())
    (job,) = of_kind(objects, "Job")
    assert job["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert job["spec"]["backoffLimit"] == 0
    assert "ttlSecondsAfterFinished" not in job["spec"]
    (container,) = pod_of(job)["containers"]
    assert container["name"] == "pipelines"
    assert container["args"][-3:] == ["--", "./load", "./data/tidy up"]
    (cron,) = of_kind(objects, "CronJob")
    assert cron["apiVersion"] == "batch/v1"
    assert cron["spec"]["schedule"] == "0 6 * * *"
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod_of(cron)["containers"][0]["args"][-2:] == ["--", "./load"]
    assert seen_schedules(objects) == [("./load", "0 6 * * *", "UTC")]
    for suspended in ({"suspend": True}, {"enabled": False}):
        assert seen_schedules(render(tmp_path, {"schedules": suspended}, bot_values())) == []
    zone = {"schedules": {"timeZone": "Europe/Vienna"}}
    assert seen_schedules(render(tmp_path, zone, bot_values())) == [("./load", "0 6 * * *", "Europe/Vienna")]


def seen_schedules(objects: list[Object]) -> list[tuple[str, str, str]]:
    """What sync sees of a release that runs by the clock."""
    found = schedules_of(yaml.safe_dump_all(objects))
    return [(one.pipeline, one.schedule, one.time_zone) for one in found]


def test_schedules_are_the_workers_or_cron_jobs_and_never_both(tmp_path: Path) -> None:
    people = {"workers": {"enabled": True, "mode": "persistent", "schedules": True}, "activeDeadlineSeconds": 60}
    objects = render(tmp_path, people, {"schedules": {"timeZone": "Europe/Vienna"}}, bot_values())
    assert of_kind(objects, "CronJob") == []
    (deployment,) = of_kind(objects, "Deployment")
    read = PoolSchedules.model_validate_json(deployment["metadata"]["annotations"]["dppctl.io/schedules"])
    assert [(one.id, one.schedule) for one in read.pipelines] == [("./load", "0 6 * * *")]
    assert seen_schedules(objects) == [("./load", "0 6 * * *", "Europe/Vienna")]
    assert (read.time_zone, read.timeout_seconds, read.pending_seconds) == ("Europe/Vienna", 60, 3600)
    suspended = render(tmp_path, people, {"schedules": {"suspend": True}}, bot_values())
    assert "dppctl.io/schedules" not in of_kind(suspended, "Deployment")[0]["metadata"]["annotations"]
    assert of_kind(suspended, "CronJob") == []


def test_the_site_is_the_storage_server_over_the_volume_read_only(tmp_path: Path) -> None:
    people = {"storage": {"volume": {"enabled": True}}, "site": {"enabled": True}}
    (deployment,) = of_kind(render(tmp_path, people, {"worker": {"image": "ours:1"}}, bot_values()), "Deployment")
    (container,) = pod_of(deployment)["containers"]
    assert (container["image"], container["args"]) == ("ours:1", ["storage-server"])
    assert "command" not in container
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["storage"]["readOnly"] is True
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    settings = load_settings(tmp_path, given, receives=False)
    assert (settings.storage.folder, settings.storage.host, settings.storage_port) == (
        Path(mounts["storage"]["mountPath"]),
        "0.0.0.0",
        container["ports"][0]["containerPort"],
    )


def test_an_older_cluster_gets_the_older_cron_job_or_none(tmp_path: Path) -> None:
    for wanted in ("batch/v1beta1", "none"):
        objects = render(tmp_path, {"kubernetes": {"cronJobApiVersion": wanted}}, bot_values())
        assert [one["apiVersion"] for one in of_kind(objects, "CronJob")] == [wanted] * (wanted != "none")


def test_the_origin_is_what_the_receipt_shows(tmp_path: Path) -> None:
    (origin,) = of_kind(render(tmp_path, bot_values()), "ConfigMap")
    assert origin["metadata"]["name"] == "app-origin"
    assert json.loads(origin["data"]["origin"]) == {"source": APP.source.model_dump(), "image": APP.image}


def test_where_pipelines_are_copied_from_they_end_before_the_copying_starts(tmp_path: Path) -> None:
    """A pod that fails in an init container ends, and one that succeeds goes on: nothing waits for ever."""
    (job,) = of_kind(render(tmp_path, EVERYTHING, bot_values()), "Job")
    pod = pod_of(job)
    names = [one["name"] for one in pod["initContainers"]]
    assert names == ["worker", "prepare", "begin", "copy", "pipelines", "finish"]
    (bucket,) = pod["containers"]  # what the site shows became current with the database
    assert bucket["command"] + bucket["args"] == [
        "rclone", "copy", "--verbose", "/dppctl/workload/data", "storage:bucket/folder",
    ]  # fmt: skip
    (job,) = of_kind(
        render(tmp_path, EVERYTHING, {"database": {"enabled": False, "ui": {"enabled": False}}}, bot_values()), "Job"
    )
    volume = pod_of(job)["containers"][1]
    assert volume["command"] + volume["args"] == [
        "python3", "-m", "cluster.publisher.staged", "--publication", "/dppctl/publication", "--to", "/storage",
    ]  # fmt: skip
    assert pod["restartPolicy"] == "Never"
    (job,) = of_kind(render(tmp_path, {"storage": {"volume": {"enabled": True}}}, bot_values()), "Job")
    (volume,) = pod_of(job)["containers"]  # without a server that knows releases it is copied to, as it always was
    assert volume["command"] + volume["args"] == ["rclone", "copy", "--verbose", "/dppctl/workload/data", "/storage"]
    assert "--publication" not in pod_of(job)["initContainers"][-1]["args"]


def test_a_bucket_that_people_read_gets_releases_and_its_credentials_are_rclones_alone(tmp_path: Path) -> None:
    bucket = {"path": "b/data", "existingSecret": "bucket", "url": "https://b.example.org/data"}
    (job,) = of_kind(render(tmp_path, {"storage": {"bucket": bucket}}, bot_values()), "Job")
    pod = pod_of(job)
    assert [one["name"] for one in pod["initContainers"]] == ["worker", "prepare", "pipelines", "password"]
    publish, rclone = pod["containers"]
    assert publish["args"][:4] == ["--to", "storage:b/data", "--url", "https://b.example.org/data"]
    holders = [one["name"] for one in (*pod["initContainers"], *pod["containers"]) if "envFrom" in one]
    assert holders == ["rclone"]
    assert rclone["command"][:2] == ["rclone", "rcd"]
    assert rclone["livenessProbe"]["tcpSocket"]["port"] == publish["ports"][0]["containerPort"] == ALIVE_PORT
    assert "/dppctl" not in [mount["mountPath"] for mount in rclone["volumeMounts"]]
    pipelines = pod["initContainers"][2]
    assert pipelines["args"][pipelines["args"].index("--publication") + 1] == "/dppctl/publication"
    assert pipelines["args"].index("--publication") < pipelines["args"].index("--")
    assert not {"rclone", "published"} & {mount["name"] for mount in pipelines["volumeMounts"]}


def test_the_database_comes_from_the_chart_or_a_secret_or_there_is_none(tmp_path: Path) -> None:
    def engine(people: dict[str, Any]) -> Any:
        (job,) = of_kind(render(tmp_path, people, bot_values()), "Job")
        pod = pod_of(job)
        (container,) = [one for one in (*pod["initContainers"], *pod["containers"]) if one["name"] == "pipelines"]
        variables = {one["name"]: one for one in container["env"]}
        return variables.get("DPP_DB_ENGINE", {}).get("valueFrom", {}).get("secretKeyRef")

    assert engine({}) is None
    assert engine({"database": {"enabled": True}}) == {"name": "app-database", "key": "DPP_DB_ENGINE_NEXT"}
    elsewhere = {"database": {"existingSecret": "engine", "existingSecretKey": "url"}}
    assert engine(elsewhere) == {"name": "engine", "key": "url"}


def test_variables_of_people_win_over_the_charts_own(tmp_path: Path) -> None:
    (job,) = of_kind(render(tmp_path, {"env": [{"name": "HOME", "value": "/tmp"}]}, bot_values()), "Job")
    homes = [one["value"] for one in pod_of(job)["containers"][0]["env"] if one["name"] == "HOME"]
    assert homes == ["/dppctl/home", "/tmp"]
