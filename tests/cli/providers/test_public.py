"""A public cluster: its address, a login, and nothing more. A real proxy, which a person's token is good for."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.errors import InputError
from cli.init.prompts import Questions
from cli.providers.minikube_public import MinikubePublic
from cli.providers.provider import ClusterState
from cli.providers.public import Public
from cli.remote.clusters import Clusters, NamedCluster, read_clusters
from cli.remote.errors import ProxyAwayError
from cli.remote.tokens import keep_token, kept_token
from cluster.proxy.application import ProxyAbout
from cluster.runs_api import LoginInfo
from tests.support.stories.proxy_world import ProxyWorld

pytestmark = pytest.mark.needs("an API server")
NOBODY = Questions(yes=True)
Person = Callable[..., str]


@pytest.fixture(scope="module")
def open_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    """One that says that it is public."""
    folder, kubeconfig = tmp_path_factory.mktemp("proxy"), os.environ["DPPCTL_TEST_KUBECONFIG"]
    world = ProxyWorld(folder, kubeconfig, "default", "http://127.0.0.1:9")
    world.options = replace(world.options, about=ProxyAbout("the lab", "1", LoginInfo(public=True)))
    with world.running():
        yield world


@pytest.mark.usefixtures("settings_folder")
def test_without_an_address_it_is_said_that_this_project_runs_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"nobody is asked with --yes; give --url, DPPCTL_PUBLIC_CLUSTER_URL or pub"):
        Public({}).ask(NOBODY)
    assert "dppctl runs no public cluster itself: use that of somebody whom you trust" in capsys.readouterr().err
    with pytest.raises(InputError, match="--url must be like https://"):
        Public({"publicUrl": "lab"})


@pytest.mark.usefixtures("settings_folder")
def test_the_address_is_that_of_the_file_else_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPPCTL_PUBLIC_CLUSTER_URL", "https://b.example.org/")
    assert Public({"publicUrl": "https://a.example.org"}).settings() == {"publicUrl": "https://a.example.org"}
    assert Public({}).settings() == {"publicUrl": "https://b.example.org"}
    Public({}).ask(NOBODY)
    assert MinikubePublic({}).settings()["minikubePublicUrl"] == "https://b.example.org"


@pytest.mark.usefixtures("settings_folder")
def test_a_login_makes_it_known_and_remove_leaves_nothing(
    open_proxy: ProxyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, url, said = Public({"publicUrl": open_proxy.url}), open_proxy.url, list[str]()
    with pytest.raises(InputError, match=f"you are not logged in at {url}; run dppctl init public once more"):
        provider.ready()
    provider.join("public", NOBODY, said.append, dry_run=True)
    assert said == [f"would log in to the public dppctl cluster at {url}", "would switch to the public dppctl cluster"]
    assert read_clusters() == Clusters()
    monkeypatch.setattr("sys.stdin.readline", lambda _: open_proxy.person().token)
    provider.join("public", NOBODY, said.append, dry_run=False)
    assert said[2:] == [
        "Logged in to public as token:ann (read, run, ssh)",
        "Switching to the public dppctl cluster",
    ]
    assert provider.ready() == f"public cluster is ready: the lab at {url}, as ann"
    assert read_clusters() == Clusters("public", {"public": NamedCluster("public", url, login="token:ann")})
    Public({}).join("public", NOBODY, said.append, dry_run=False)
    assert said[4:] == ["Switching to the public dppctl cluster"], "it is known by now"
    keep_token("public", "dppctl_wrong")
    assert provider.state().phase == "missing"
    assert len(Public({}).remove(dry_run=True)) == 2
    assert read_clusters().by_name
    lines = Public({}).remove(dry_run=False)
    assert lines[0] == f"log out of the public dppctl cluster at {url}: its token is forgotten here"
    assert "what your runs published there stays" in lines[1]
    assert (read_clusters(), kept_token("public"), Public({}).remove(dry_run=False)) == (Clusters(), "", [])


@pytest.mark.usefixtures("settings_folder")
def test_one_that_is_private_or_away_is_refused_before_a_login(
    open_proxy: ProxyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = ProxyWorld(tmp_path, os.environ["DPPCTL_TEST_KUBECONFIG"], "default", open_proxy.url)
    with private.running():
        with pytest.raises(InputError, match="says that it is no public one; `dppctl login NAME --url"):
            Public({"publicUrl": private.url}).join("public", NOBODY, print, dry_run=False)
        monkeypatch.setenv("DPPCTL_TOKEN", private.person().token)
        with pytest.raises(InputError, match="says that it is no public one; `dppctl login NAME --url"):
            Public({"publicUrl": private.url}).join("public", NOBODY, print, dry_run=False)
    with pytest.raises(ProxyAwayError, match=r"the cluster public does not answer at http://127.0.0.1:1: Connection"):
        Public({"publicUrl": "http://127.0.0.1:1"}).join("public", NOBODY, print, dry_run=False)
    assert read_clusters() == Clusters()


def test_it_deploys_nothing(tmp_path: Path) -> None:
    provider = Public({"publicUrl": "https://a.example.org"})
    with pytest.raises(InputError, match="runs pipelines and deploys nothing: continuousDeployment needs a cluster"):
        provider.secret_store(tmp_path)
    with pytest.raises(InputError, match="deploys nothing"):
        provider.environment_namespace("staging")


def test_init_is_a_login_and_its_remove_a_logout(
    open_proxy: ProxyWorld, person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    said = person("init", "public", "--yes")
    assert "refused: Address of the public cluster (https://HOST): nobody" in said
    token = open_proxy.person().token
    said = person("init", "public", "--url", open_proxy.url, stdin=f"{token}\n")
    assert said == "Logged in to public as token:ann (read, run, ssh)\nSwitching to the public dppctl cluster\n"
    assert person("init", "public") == "Switching to the public dppctl cluster\n"
    assert ["public", "yes", open_proxy.url, "token:ann"] in [line.split() for line in person("use").splitlines()]
    (tmp_path / ".dppctl.yaml").write_text(f"clusterProvider: public\npublicUrl: {open_proxy.url}\n")
    assert person("init") == "Switching to the public dppctl cluster\n", "as the app says"
    said = person("init", "public", "--remove")
    assert "  done     log out of the public dppctl cluster at " in said
    assert read_clusters() == Clusters()


def test_minikube_public_is_a_login_beside_minikube_and_its_runs_publish_there(
    open_proxy: ProxyWorld, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.providers.minikube.Minikube.start", lambda *_, dry_run: f"start minikube {dry_run}")
    monkeypatch.setattr("cli.providers.minikube.Minikube.state", lambda _: ClusterState("ready", "minikube runs"))
    monkeypatch.setattr("cli.providers.minikube.Minikube.remove", lambda *_, **__: ["delete minikube's cluster"])
    provider, url = MinikubePublic({"minikubePublicUrl": open_proxy.url}), open_proxy.url
    provider.ask(NOBODY)
    assert provider.state().line == f"you are not logged in to the public dppctl cluster at {url}"
    assert provider.start(dry_run=True) == f"log in to the public dppctl cluster at {url}"
    monkeypatch.setattr("sys.stdin.readline", lambda _: open_proxy.person().token)
    assert provider.start(dry_run=False) == "start minikube False"
    assert provider.state() == ClusterState("ready", "minikube runs")
    assert "\npublic  no " in person("use"), "known, and not the one that runs go to"
    assert provider.publish_to() == "public"
    assert provider.ready_line(1, 0) == "Cluster is ready with 1 worker pod"
    lines = provider.remove(dry_run=False)
    assert lines[0] == "delete minikube's cluster"
    assert lines[1].startswith(f"log out of the public dppctl cluster at {url}: its token is forgotten here")
    away = MinikubePublic({"minikubePublicUrl": "http://127.0.0.1:1"})
    monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_any")
    assert away.state().phase == "failed"
