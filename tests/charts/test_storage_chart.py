"""What `storage.enabled` adds to the chart `dppctl`: a publisher, and a server that shows what is published."""

from typing import Any

import pytest
import yaml

from bot.settings.variables import variables
from tests.support.charts.dppctl import ALL, RUNS, environment, named, pods, rendered
from tests.support.docs.pages import blocks

pytestmark = pytest.mark.needs("helm")

_INGRESS = {"enabled": True, "host": "data.example.net", "tlsSecret": "tls"}
VOLUME: dict[str, Any] = {**RUNS, "storage": {"enabled": True, "ingress": _INGRESS}}
BUCKET: dict[str, Any] = {**RUNS, "storage": ALL["storage"]}


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a pod by their names, the ones that come first too."""
    return {found["name"]: found for found in (*pod.get("initContainers", []), *pod["containers"])}


def test_a_buckets_credentials_are_in_rclones_container_alone() -> None:
    objects = rendered(BUCKET)
    pod = pods(objects)["dppctl-publisher"]
    found = containers(pod)
    assert {name: "envFrom" in container for name, container in found.items()} == {
        "password": False,
        "publisher": False,
        "rclone": True,
    }
    assert "bucket" not in str({name: other for name, other in pods(objects).items() if name != "dppctl-publisher"})
    rclone = found["rclone"]
    seen = {mount["mountPath"]: mount.get("readOnly", False) for mount in rclone["volumeMounts"]}
    assert seen == {"/var/lib/dppctl/publisher/files": True, "/run/rclone/htpasswd": True, "/tmp": False}
    assert rclone["resources"]["limits"]["memory"] == found["publisher"]["resources"]["limits"]["memory"] == "150Mi"
    given = {entry["name"]: entry.get("value") for entry in rclone["env"]}
    assert given["RCLONE_CONFIG_STORAGE_NO_CHECK_BUCKET"] == given["RCLONE_CONFIG_STORAGE_BUCKET_POLICY_ONLY"] == "true"
    assert "--rc-addr=127.0.0.1:5572" in rclone["command"]
    assert not any("pass" in word and "htpasswd" not in word for word in rclone["command"])
    assert named(objects, "ServiceAccount", "dppctl-publisher")["metadata"]["annotations"] == {"a": "b"}


@pytest.mark.parametrize(
    ("values", "remote", "shown"),
    [
        (VOLUME, "/srv/storage", {"DPPCTL_STORAGE_FOLDER": "/srv/storage"}),
        (BUCKET, "storage:public/data", {"DPPCTL_STORAGE_BUCKET_URL": "https://s3.example.org/public/data"}),
    ],
    ids=["volume", "bucket"],
)
def test_publisher_and_server_have_the_same_storage(values: dict[str, Any], remote: str, shown: dict[str, str]) -> None:
    found = pods(rendered(values))
    publisher, server = environment(found["dppctl-publisher"]), environment(found["dppctl-storage"])
    assert publisher["DPPCTL_PUBLISHER_REMOTE"] == remote
    assert publisher["DPPCTL_STORAGE_URL"] == server["DPPCTL_STORAGE_URL"] == "https://data.example.net"
    assert shown.items() <= server.items()
    for name in ("dppctl-operator", "dppctl-proxy"):
        asks = environment(found[name])
        assert asks["DPPCTL_PUBLISHER_URL"] == "http://dppctl-publisher"
        assert asks["DPPCTL_STORAGE_URL"] == "https://data.example.net"
        keys = [volume["secret"]["items"] for volume in found[name]["volumes"] if volume["name"] == "publisher-keys"]
        assert keys == [[{"key": "publisher-token", "path": "publisher-token"}]]
    for given in (publisher, server):
        assert {name for name in given if name.startswith("DPPCTL_")} <= variables()
    for name in ("dppctl-publisher", "dppctl-storage"):
        assert found[name]["automountServiceAccountToken"] is False
        for container in containers(found[name]).values():
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_volume_is_written_by_the_publisher_alone_and_stays() -> None:
    objects = rendered(VOLUME)
    found = pods(objects)
    (mounted,) = [
        mount for mount in found["dppctl-storage"]["containers"][0]["volumeMounts"] if mount["name"] == "storage"
    ]
    assert mounted["readOnly"] is True
    claim = named(objects, "PersistentVolumeClaim", "dppctl-storage")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    terms = found["dppctl-storage"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms[0]["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "publisher"
    shared = {**VOLUME["storage"], "volume": {"accessModes": ["ReadWriteMany"], "existingClaim": "mine"}}
    objects = rendered({**VOLUME, "storage": shared})
    assert "affinity" not in pods(objects)["dppctl-storage"]
    claims = [found for found in objects if found["kind"] == "PersistentVolumeClaim"]
    assert "dppctl-storage" not in [found["metadata"]["name"] for found in claims]


def test_who_reaches_whom() -> None:
    objects = rendered(VOLUME)
    publisher = named(objects, "NetworkPolicy", "dppctl-publisher")["spec"]
    (rule,) = publisher["ingress"]
    asks = [each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in rule["from"]]
    assert asks == ["operator", "proxy"]
    assert [sorted(rule) for rule in publisher["egress"]] == [["ports", "to"]]
    assert "egress" not in named(objects, "NetworkPolicy", "dppctl-storage")["spec"]
    assert {} in named(rendered(BUCKET), "NetworkPolicy", "dppctl-publisher")["spec"]["egress"]
    (workers,) = [
        found
        for found in objects
        if found["kind"] == "NetworkPolicy" and found["metadata"]["name"].endswith("-workers")
    ]
    allowed = workers["spec"]["ingress"][0]["from"]
    assert [each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in allowed] == [
        "operator",
        "publisher",
    ]


def test_a_cluster_without_a_storage_of_its_own_keeps_files_for_another() -> None:
    objects = rendered({**RUNS, "storage": {"enabled": True, "engine": "none"}})
    found = pods(objects)
    assert "dppctl-storage" not in found
    given = environment(found["dppctl-publisher"])
    assert "DPPCTL_PUBLISHER_REMOTE" not in given
    assert "DPPCTL_STORAGE_URL" not in environment(found["dppctl-proxy"])
    assert "dppctl-publisher" not in pods(rendered(RUNS))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"storage": {"enabled": True}}, r"storage\.enabled: is for runs; set runs\.enabled too"),
        ({**RUNS, "storage": {"enabled": True}}, r"storage\.url: how people reach what is published"),
        ({**VOLUME, "storage": {**VOLUME["storage"], "engine": "bucket"}}, r"storage\.bucket\.path: name the bucket"),
        (
            {**VOLUME, "storage": {**VOLUME["storage"], "ingress": {**_INGRESS, "host": "dppctl.example.org"}}},
            r"storage\.ingress\.host: is dppctl\.example\.org, which is another server's too",
        ),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        rendered(values)


def test_the_values_for_a_storage_on_k3s_are_taken_as_they_are() -> None:
    (values,) = [block.text for block in blocks("docs/clusters.md") if block.text.startswith("storage:")]
    objects = rendered({**RUNS, **yaml.safe_load(values)})
    assert (
        named(objects, "PersistentVolumeClaim", "dppctl-storage")["spec"]["resources"]["requests"]["storage"] == "20Gi"
    )
    (rule,) = named(objects, "Ingress", "dppctl-storage")["spec"]["rules"]
    assert rule["host"] == "data.example.org"
    assert environment(pods(objects)["dppctl-storage"])["DPPCTL_STORAGE_URL"] == "https://data.example.org"
