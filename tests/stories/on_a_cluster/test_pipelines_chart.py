"""The chart dppctl-pipelines on a real cluster, by plain helm."""

import json
from pathlib import Path

import pytest

from tests.support.charts.rendering import CHART
from tests.support.cluster import TO_SQL, ClusterImages, Namespace
from tests.support.stories.pipelines_release import SOURCE, app, bot, ended, last_states, query

PASS_ON = """
from datapackage_pipelines.wrapper import ingest, spew
_, package, resources = ingest()
spew(package, resources)
"""
CONTAINERS = ("worker", "prepare", "begin", "copy", "pipelines", "finish")
TO_PATH = {"run": "dump.to_path", "parameters": {"out-path": "data/numbers"}}


def test_rows_come_into_the_database_once_for_each_image(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    image = cluster_images.app(tmp_path, app(TO_SQL))
    namespace.database_volume("app", cluster_images.python)
    people = cluster_images.people(database=cluster_images.database())
    namespace.deploy(CHART, people, bot(image))
    (job,) = ended(namespace)
    states = last_states(namespace)
    assert {name: state.get("exitCode") for name, state in states.items()} == dict.fromkeys(CONTAINERS, 0)
    summary = json.loads(states["pipelines"]["message"])
    assert (summary["status"], summary["pipelines"][0]["rows"], summary["image"]) == ("succeeded", 5, image)
    log = namespace.kubectl("logs", f"job/{job['metadata']['name']}", "--container=pipelines").splitlines()
    receipt = json.loads(log[-1])["receipt"]
    assert receipt["source"] == SOURCE.model_dump()
    assert query(namespace, "select sum(number) from numbers") == "10"
    password = namespace.kubectl("get", "secret", "app-database", "--output=jsonpath={.data.password}")
    done = namespace.helm("test", "app")
    assert done.returncode == 0, done.stdout + done.stderr

    # Another commit of the same image is no other Job; more memory is one. The password stays.
    namespace.deploy(CHART, people, bot(image, source=SOURCE.model_copy(update={"commit": "2" * 40})))
    (same,) = ended(namespace)
    assert same["metadata"]["uid"] == job["metadata"]["uid"]
    more = {**people, "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "1100Mi"}}}
    namespace.deploy(CHART, more, bot(image))
    ended(namespace, 2)
    assert query(namespace, "select sum(number) from numbers") == "10"
    assert namespace.kubectl("get", "secret", "app-database", "--output=jsonpath={.data.password}") == password

    # Going back runs nothing again.
    assert namespace.helm("rollback", "app", "1").returncode == 0
    older, _ = ended(namespace, 2)
    assert older["metadata"]["uid"] == job["metadata"]["uid"]

    # The password outlives the release with the volume, and a release after it uses it.
    assert namespace.helm("uninstall", "app").returncode == 0
    namespace.deploy(CHART, people, bot(image))
    assert namespace.kubectl("get", "secret", "app-database", "--output=jsonpath={.data.password}") == password
    assert len(ended(namespace, 2)) == 2


def test_what_pipelines_made_is_on_the_volume_with_the_database_and_the_site_shows_it(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    image = cluster_images.app(tmp_path, app(TO_PATH, TO_SQL))
    namespace.volume("published", cluster_images.python)
    namespace.database_volume("app", cluster_images.python)
    storage = {"volume": {"enabled": True, "existingClaim": "published"}}
    database = cluster_images.database()
    people = cluster_images.people(database=database, storage=storage, site={"enabled": True})
    namespace.deploy(CHART, people, bot(image))
    ended(namespace)
    states = last_states(namespace)
    assert {name: state.get("exitCode") for name, state in states.items()} == dict.fromkeys(CONTAINERS, 0)
    assert query(namespace, "select sum(number) from numbers") == "10"
    assert json.loads(states["pipelines"]["message"])["status"] == "succeeded"
    namespace.kubectl("rollout", "status", "deployment/app-site", "--timeout=120s")
    fetch = "import urllib.request as r; print(r.urlopen('http://app-site/numbers/%s').read().decode())"
    for path, words in (("datapackage.json", '"name": "numbers"'), ("", "First 5 rows")):
        shown = namespace.kubectl("exec", "deployment/app-site", "--", "python3", "-c", fetch % path)
        assert words in shown, path


def test_what_pipelines_made_is_in_the_bucket(
    namespace: Namespace, cluster_images: ClusterImages, rclone: str, tmp_path: Path
) -> None:
    """rclone serves WebDAV here, as a cloud would serve S3: another type in the Secret is all the difference."""
    serve = ["rclone", "serve", "webdav", "--addr=:8080", "--user=ann", "--pass=hush", "/tmp"]
    labels = {"role": "cloud"}
    container = {"name": "cloud", "image": rclone, "command": serve}
    namespace.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cloud", "labels": labels},
        "spec": {"containers": [container]},
    })  # fmt: skip
    namespace.apply({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "cloud"},
        "spec": {"selector": labels, "ports": [{"port": 8080, "protocol": "TCP"}]},
    })  # fmt: skip
    namespace.kubectl("wait", "--for=condition=Ready", "pod/cloud", "--timeout=120s")
    hidden = cluster_images.images.run("rclone", "obscure", "hush")
    remote = {"TYPE": "webdav", "URL": "http://cloud:8080", "VENDOR": "other", "USER": "ann", "PASS": hidden}
    literals = [f"--from-literal=RCLONE_CONFIG_STORAGE_{name}={value}" for name, value in remote.items()]
    namespace.kubectl("create", "secret", "generic", "bucket", *literals)
    image = cluster_images.app(tmp_path, app(TO_PATH))
    storage = {"image": rclone, "bucket": {"path": "bucket/data", "existingSecret": "bucket"}}
    namespace.deploy(CHART, cluster_images.people(storage=storage), bot(image))
    ended(namespace)
    states = last_states(namespace)
    assert {state.get("exitCode") for state in states.values()} == {0}, states
    package = namespace.kubectl("exec", "cloud", "--", "cat", "/tmp/bucket/data/numbers/datapackage.json")
    assert json.loads(package)["resources"][0]["name"] == "numbers"

    # What cannot be copied is a failed Job, and the pipelines' receipt is there all the same.
    storage["bucket"]["existingSecret"] = "wrong"
    namespace.kubectl("create", "secret", "generic", "wrong", "--from-literal=RCLONE_CONFIG_STORAGE_TYPE=no-such")
    namespace.deploy(CHART, cluster_images.people(storage=storage), bot(image))
    ended(namespace, 2)
    states = last_states(namespace)
    assert json.loads(states["pipelines"]["message"])["status"] == "succeeded"
    assert states["bucket"]["exitCode"] != 0
    assert "no-such" in states["bucket"]["message"]


def test_where_there_is_something_to_copy_to_a_failing_pipeline_ends_the_job(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    image = cluster_images.app(tmp_path, app({"run": "no_such_step"}))
    storage = {"image": cluster_images.python, "volume": {"enabled": True, "size": "10Mi"}}
    namespace.deploy(CHART, cluster_images.people(storage=storage), bot(image))
    (job,) = ended(namespace)
    assert job["status"]["conditions"][0]["type"] == "Failed"
    states = last_states(namespace)
    assert states["pipelines"]["exitCode"] in (1, 2)
    assert "no_such_step" in states["pipelines"]["message"]
    assert not states["volume"]


LACKING = {
    "dpp": ("WORKDIR /app", "pipelines", "no dpp on its PATH; install datapackage-pipelines in its Dockerfile"),
    "python": ("RUN rm /usr/local/bin/python*\nWORKDIR /app", "prepare", 'exec: "python3": executable file not found'),
    "a WORKDIR": ("WORKDIR /", "prepare", "has no WORKDIR; set it in its Dockerfile, or in the value `workdir`"),
    "files to read": (
        "WORKDIR /app\nRUN touch secret && chmod 600 secret",
        "prepare",
        "user 1000 cannot read all of /app: [Errno 13] Permission denied: '/app/secret'; set the value",
    ),
}


@pytest.mark.parametrize(("dockerfile", "where", "words"), LACKING.values(), ids=LACKING)
def test_an_image_that_lacks_something_says_what(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path, dockerfile: str, where: str, words: str
) -> None:
    image = cluster_images.build(tmp_path, "lacking", f"FROM {cluster_images.images.python}\n{dockerfile}\n")
    namespace.deploy(CHART, cluster_images.people(), bot(image))
    (job,) = ended(namespace)
    assert job["status"]["conditions"][0]["type"] == "Failed"
    assert words in last_states(namespace)[where]["message"]


def test_pipelines_may_write_to_the_workdir_by_its_own_name(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    write = "import os; open('/app/data/here', 'w').write('x'); assert os.getcwd() == '/app'\n"
    image = cluster_images.app(tmp_path, app({"run": "write", "code": write + PASS_ON}))
    namespace.deploy(CHART, cluster_images.people(workdir="/app"), bot(image))
    ended(namespace)
    assert json.loads(last_states(namespace)["pipelines"]["message"])["status"] == "succeeded"
