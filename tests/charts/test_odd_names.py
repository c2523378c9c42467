"""Names that YAML, labels or Kubernetes would take for something else go through the chart as they are."""

import json
import secrets
from pathlib import Path

import pytest

from bot.model.expectations import Expectation, unique_columns
from tests.support.charts.apps import EVERYTHING, bot_values, pod_of
from tests.support.charts.rendering import CHART, Object, of_kind, render, template
from tests.support.cluster import Namespace
from worker.unique import parse_unique

pytestmark = pytest.mark.needs("helm")


def job(folder: Path, *values: dict[str, object], name: str = "app") -> Object:
    (found,) = of_kind(render(folder, *values, name=name), "Job")
    return found


def pipelines_of(found: Object) -> Object:
    spec = pod_of(found)
    (container,) = [one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == "pipelines"]
    return dict(container)


def expanded(text: str) -> str:
    """As Kubernetes expands `$(X)`, where no variable has that name, and `$$`."""
    return text.replace("$$", "$")


@pytest.mark.parametrize("name", ["./a$$b", "./$(HOME)", "./$$(HOME)", "./$", "./50$ a", "./a #1", "./a: b", "./'\""])
def test_an_id_reaches_the_worker_as_it_is(tmp_path: Path, name: str) -> None:
    container = pipelines_of(job(tmp_path, bot_values(pipelines=({"id": name, "schedule": None},))))
    assert expanded(container["args"][-1]) == name
    assert "$(" not in container["args"][-1].replace("$$", "")


def test_the_columns_that_are_to_be_unique_reach_the_worker_as_they_are(tmp_path: Path) -> None:
    names = ["./a$$b", "$(HOME)", "1e5", "שם <&> #: '\""]
    expect = [{"unique": names}, {"minRows": 1}, {"resource": "mem*$", "unique": ["id"]}]
    found = pipelines_of(job(tmp_path, bot_values(), {"expect": expect}))["args"]
    options = [expanded(each).removeprefix("--unique=") for each in found if each.startswith("--unique=")]
    asked = [{"resource": None, "columns": names}, {"resource": "mem*$", "columns": ["id"]}]
    assert list(map(parse_unique, options)) == asked
    assert asked == unique_columns([Expectation.model_validate(each) for each in expect])
    assert "$(" not in "".join(found).replace("$$", "")


def test_a_folder_with_odd_characters_stays_one_argument(tmp_path: Path) -> None:
    values = {"workdir": "/app #1", "storage": {**EVERYTHING["storage"], "folder": "data, $$all: #2"}}
    found = job(tmp_path, EVERYTHING, bot_values(), values)
    container = pipelines_of(found)
    assert container["workingDir"] == "/app #1"
    assert [mount["mountPath"] for mount in container["volumeMounts"]][-1] == "/app #1"
    (bucket,) = pod_of(found)["containers"]  # `finish` publishes to the volume
    assert expanded(bucket["command"][-1]) == "/dppctl/workload/data, $$all: #2"
    environment = {one["name"]: one.get("value") for one in pod_of(found)["initContainers"][1]["env"]}
    assert expanded(environment["DPPCTL_FOLDER"]) == "data, $$all: #2"


@pytest.mark.needs("an API server")
@pytest.mark.parametrize("release", ["null", "true"])
def test_a_real_api_server_takes_names_that_look_like_numbers_and_long_ones(
    tmp_path: Path, kubeconfig: str, release: str
) -> None:
    assert kubeconfig
    namespace = Namespace(f"odd-{secrets.token_hex(4)}", tmp_path)
    namespace.kubectl("create", "namespace", namespace.name)
    number = "1e5"
    claim = ("long-" * 30 + "claim.1")[-150:].lstrip("-")
    values = {
        "serviceAccountName": number,
        "imagePullSecrets": [{"name": number}],
        "database": {"existingSecret": number, "existingSecretKey": "1"},
        "storage": {
            "bucket": {"path": "1", "existingSecret": number},
            "volume": {"enabled": True, "existingClaim": claim},
        },
        "site": {"enabled": True, "ingress": {"enabled": True, "host": "1", "className": number, "tlsSecret": number}},
        "kubernetes": {"cronJobApiVersion": "batch/v1beta1"},
        "workdir": "/1",
        "nodeSelector": {"a": "1"},
    }
    namespace.deploy(CHART, bot_values(), values, release=release)
    [found] = namespace.get("jobs")
    spec = found["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == number
    assert claim in json.dumps(spec["volumes"])
    assert len(found["spec"]["template"]["metadata"]["labels"]["dppctl.io/volume"]) <= 63
    own = {"database": {"enabled": True, "storageClassName": "1"}, "kubernetes": {"cronJobApiVersion": "none"},
           "storage": {"volume": {"enabled": True, "storageClassName": "2"}}}  # fmt: skip
    namespace.deploy(CHART, bot_values(), own, release=f"{release}0")
    alone = {"serviceAccountName": number, "kubernetes": {"cronJobApiVersion": "none"}}
    namespace.deploy(CHART, bot_values(), alone, release="1e3")
    namespace.kubectl("delete", "namespace", namespace.name, "--wait=false")


def test_a_service_of_a_release_whose_name_begins_with_a_digit_is_refused(tmp_path: Path) -> None:
    for values in (EVERYTHING, {"database": {"enabled": True}}):
        done = template(tmp_path, values, bot_values(), name="1e3")
        assert "the release's name 1e3 begins with a digit, and a Service's name must not" in done.stderr
