"""The dialogue with minikube-public, as a person types it: a stand-in for minikube; a real proxy, API server, helm."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.init.command import init
from cli.remote.clusters import Clusters, read_clusters
from cluster.proxy.application import ProxyAbout
from cluster.runs_api import LoginInfo
from tests.support import seed
from tests.support.minikube import as_minikubes, put_minikube
from tests.support.runs_cluster import IMAGES, READY, RunsCluster
from tests.support.stories.proxy_world import ProxyWorld
from tests.support.waiting import eventually

FIRST = "dppctl init minikube-public"


@pytest.fixture
def public(tmp_path: Path) -> Iterator[ProxyWorld]:
    (tmp_path / "public").mkdir()
    world = ProxyWorld(tmp_path / "public", os.environ["DPPCTL_TEST_KUBECONFIG"], "default", "http://127.0.0.1:9")
    world.options = replace(world.options, about=ProxyAbout("the lab", "1", LoginInfo(public=True)))
    with world.running():
        yield world


def typed(*arguments: str, stdin: str = "") -> str:
    done = CliRunner().invoke(init, [*arguments], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.mark.slow
@pytest.mark.needs("an API server", "helm")
def test_from_nothing_to_a_worker_whose_runs_publish_elsewhere_and_back(
    runs_cluster: RunsCluster, kubeconfig: str, public: ProxyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", as_minikubes(kubeconfig, tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    monkeypatch.setattr("cli.providers.minikube.MINIKUBE_FAILURE_SECONDS", 0.0)
    monkeypatch.setattr("cli.init.clusters.bring_up.CLUSTER_POLL_SECONDS", 0.1)
    program = put_minikube(tmp_path, monkeypatch)
    slow = program.with_name("minikube.slow")
    slow.touch()

    said = typed(
        "minikube-public", "--public-url", public.url, f"--namespace={runs_cluster.namespace}", "--token-user=ann",
        *IMAGES, stdin=f"{public.person().token}\n",
    )  # fmt: skip
    assert seed.not_said(seed.answer_to(seed.MINIKUBE_PUBLIC, FIRST), said) == []
    waited = typed("--dry-run")
    slow.unlink()
    eventually(lambda: "Waiting" not in typed("--dry-run"), "minikube runs")
    with runs_cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
        said = typed()
    assert seed.not_said(seed.answer_to(seed.MINIKUBE_PUBLIC, "dppctl init"), f"{waited}{said}") == []
    known = read_clusters()
    assert (known.current, known.by_name["minikube-public"].publish_to) == ("minikube-public", "public")
    (container,) = runs_cluster.api.get(f"{runs_cluster.deployments}/dppctl-runs-publisher")["spec"]["template"][
        "spec"
    ]["containers"]
    assert "DPPCTL_PUBLISHER_REMOTE" not in {variable["name"] for variable in container["env"]}, "it only keeps files"

    said = typed("minikube-public", "--remove", "--yes")
    assert "delete minikube's cluster minikube\n" in said, said
    assert "log out of the public dppctl cluster at " in said
    assert read_clusters() == Clusters()
    runs_cluster.api.delete(runs_cluster.path)
