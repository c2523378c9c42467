"""The kinds of cluster that `dppctl init` knows."""

import json
from pathlib import Path

import pytest

from cli.errors import InputError
from cli.providers import PROVIDERS, make_provider, namespace_key
from tests.support.environment import use_kubeconfig
from tests.support.kubeconfig import kubeconfig_of
from tests.support.serving import Reply, serving


@pytest.fixture
def dead_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig whose clusters nobody answers for."""
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("mine", "minikube")]
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "mine", "clusters": [cluster], "contexts": contexts,
        "users": [{"name": "u", "user": {}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(content))
    use_kubeconfig(monkeypatch, str(tmp_path / "kubeconfig"))


def test_an_unknown_provider_is_said_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no cluster provider azure; known: gcloud, kamatera, kubeconfig, local"):
        make_provider("azure", {})
    with pytest.raises(InputError, match="no cluster provider kubconfig; did you mean kubeconfig\\? known: gcloud"):
        make_provider("kubconfig", {})


def test_every_provider_of_the_table_says_where_environments_are_and_what_comes_next(tmp_path: Path) -> None:
    for name in set(PROVIDERS) - {"public"}:  # which deploys nothing: test_public.py
        provider = make_provider(name, {namespace_key(name): "dppctl"})
        assert provider.environment_namespace("staging") == "dppctl-staging"
        assert str(tmp_path) in provider.next_step(tmp_path)


def test_a_namespace_that_can_be_none_is_said_before_anything_is_made() -> None:
    for name in ("A/b", "a" * 80, "-a"):
        for kind in ("kubeconfig", "minikube", "kamatera"):
            with pytest.raises(InputError, match=r"--namespace '.*': expected small letters, digits and -, at most 63"):
                make_provider(kind, {namespace_key(kind): name, "kubeconfigContext": "x"}).settings()


def test_a_namespace_that_is_being_deleted_is_not_called_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going = {"kind": "Namespace", "metadata": {"name": "going"}, "status": {"phase": "Terminating"}}
    body = json.dumps(going).encode()
    with serving(lambda _: Reply(200, {"Content-Type": "application/json"}, body)) as host:
        monkeypatch.setenv("KUBECONFIG", kubeconfig_of(tmp_path, f"http://{host}"))
        provider = make_provider("kubeconfig", {"kubeconfigNamespace": "going"})
        for ask in (provider.ready, lambda: provider.start(dry_run=False)):
            with pytest.raises(
                InputError, match="the namespace going in the cluster mine is being deleted; wait until"
            ):
                ask()


def test_the_local_cluster_is_ready() -> None:
    provider = make_provider("local", {})
    assert (provider.ready(), provider.settings()) == ("local cluster is ready", {})
    assert provider.start(dry_run=False) is None


@pytest.mark.usefixtures("dead_cluster")
def test_a_cluster_that_does_not_answer_and_a_context_that_is_not_there_are_said() -> None:
    provider = make_provider("kubeconfig", {})
    assert provider.settings() == {"kubeconfigContext": "mine", "kubeconfigNamespace": "dppctl"}
    with pytest.raises(InputError, match=r"the cluster mine does not answer: .*refused"):
        provider.ready()
    with pytest.raises(InputError, match=r"kubeconfig file: .*nowhere"):
        make_provider("kubeconfig", {"kubeconfigContext": "nowhere"}).ready()


def test_without_minikube_it_is_said_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="minikube is not on the PATH; https://minikube"):
        make_provider("minikube", {}).ready()
