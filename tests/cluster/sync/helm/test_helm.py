"""helm 3 and 4, run by the one function that does."""

import threading
import time
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.sync.helm.helm import Helm, HelmAwayError, HelmBusyError, HelmError
from cluster.sync.helm.releases import manifest, newest
from tests.support.environment import processes_with
from tests.support.helm import helm
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually
from tests.support.workloads import write_files
from tests.support.world import STAGING


def a_program(folder: Path, script: str) -> str:
    """Something that calls itself helm."""
    file = write_files(folder, {"helm": f"#!/bin/sh\n{script}\n"}) / "helm"
    file.chmod(0o755)
    return str(file)


def test_without_helm_or_with_an_old_one_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^helm cannot be started: .*; install helm 3.15 or newer, or 4$"):
        Helm(str(tmp_path / "none"), tmp_path, 5)
    with pytest.raises(ClusterError, match=r"^helm v3.9.1 is too old; "):
        Helm(a_program(tmp_path, "echo v3.9.1"), tmp_path, 5)


def test_the_last_words_are_told_without_secrets(tmp_path: Path) -> None:
    words = "level=WARN msg=x\\nError: UPGRADE FAILED: the password hush\\nis wrong\\n"
    script = f'[ $1 = version ] && echo v4.0.0 && exit\nprintf "{words}" >&2\nexit 1'
    run = Helm(a_program(tmp_path, script), tmp_path, 5, ["hush"])
    with pytest.raises(HelmError) as raised:
        run.roll_back("a", "b", 1, threading.Event())
    assert str(raised.value) == "helm rollback: UPGRADE FAILED: the password ***\nis wrong"


@pytest.mark.parametrize(
    "words",
    [
        "another operation (install/upgrade/rollback) is in progress",
        "release: already exists",
        "cannot re-use a name that is still in use",
        "cannot reuse a name that is still in use",
    ],
)
def test_another_helm_that_was_quicker_is_no_failure_of_the_deployment(tmp_path: Path, words: str) -> None:
    script = f"[ $1 = version ] && echo v4.0.0 && exit\necho 'Error: UPGRADE FAILED: {words}' >&2\nexit 1"
    run = Helm(a_program(tmp_path, script), tmp_path, 5)
    with pytest.raises(HelmBusyError):
        run.upgrade("a", "b", tmp_path, [], "c", threading.Event())


@pytest.mark.parametrize("out", ["", "deployed", "{}", '{"version": 1}', "[]"])
def test_output_that_cannot_be_read_is_no_failure_of_the_deployment(tmp_path: Path, out: str) -> None:
    run = Helm(a_program(tmp_path, f"[ $1 = version ] && echo v4.0.0 && exit\necho '{out}'"), tmp_path, 5)
    with pytest.raises(HelmAwayError, match=r"^helm upgrade: what it says of the release cannot be read$"):
        run.upgrade("a", "b", tmp_path, [], "c", threading.Event())


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.needs("helm")
def test_helm_says_what_it_deployed(tmp_path: Path, kubeconfig: str, major: int) -> None:
    cluster = Cluster(tmp_path, kubeconfig, major=major)
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
    cluster.ops.push({"chart/templates/hook.yaml": hook, "chart/templates/NOTES.txt": "{notes}\n"})
    cluster.ops.push({"chart/values.yaml": "source: {commit: c}\n"})
    place = cluster.sync.locations[STAGING]
    for number in (1, 2):
        there = (place.release, place.namespace, cluster.ops.work / "chart", (), "f", threading.Event())
        found = cluster.helm.upgrade(*there)
        assert found.number == number
        assert found.manifest == manifest(cluster.api, place.namespace, place.release, number)
    assert (tmp_path / "helm" / "kube").is_dir()  # what it knows of the API, for the next one


@pytest.mark.needs("helm")
def test_a_cluster_that_is_away_is_no_failure_of_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/dev/null")
    with pytest.raises(HelmAwayError, match="cluster unreachable"):
        Helm(str(helm()), tmp_path, 5).roll_back("a", "b", 1, threading.Event())


@pytest.mark.parametrize("trap", ["", 'trap "" TERM'])
def test_stop_ends_all_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str) -> None:
    monkeypatch.setattr("cluster.sync.helm.helm.HELM_STOP_SECONDS", 0.5)
    script = f"[ $1 = version ] && echo v4.0.0 && exit\n{trap}\nsleep 600 & sleep 600"
    run, stop = Helm(a_program(tmp_path, script), tmp_path, 60), threading.Event()
    mark = str(tmp_path / "cache")
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(HelmAwayError):
        run.roll_back("a", "b", 1, stop)
    assert time.monotonic() - began < 10
    eventually(lambda: not processes_with(mark), "its processes are gone")


@pytest.mark.needs("helm")
def test_helm_3_deploys_repairs_and_rolls_back_as_helm_4_does(tmp_path: Path, kubeconfig: str) -> None:
    cluster = Cluster(tmp_path, kubeconfig, major=3)
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    cluster.api.patch(cluster.path("configmaps", "-text"), {"data": {"text": "by hand"}})
    cluster.start(drift_seconds=0.01)
    with cluster.running():
        eventually(lambda: cluster.text() == "first", "it is repaired")
        cluster.until("succeeded")
        cluster.people_say({"text": "second"})
        cluster.say("two")
        cluster.until("running", image="two")
        cluster.job_ends(receipt("failed", error="the reason"))
        cluster.until("failed")
        assert cluster.text() == "first"
    # helm 4 takes over what helm 3 made
    cluster.helm = Helm(str(helm(4)), tmp_path / "helm4", 20)
    cluster.start()
    cluster.people_say({"text": "third"})
    cluster.say("three", pipelines=())
    assert cluster.sync.sync()
    assert cluster.text() == "third"
    place = cluster.sync.locations[STAGING]
    found = newest(cluster.api, place.namespace, place.release)
    assert found
    assert len(found.fingerprint) == 40
