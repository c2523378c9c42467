"""The usage examples that dppctl was asked for, as tests: what is typed, and line by line what is answered.

Their words stand in tests/support/seed/dialogues.md. The data comes from a server on loopback. Example by example:
a dump into a database on this machine is in tests/cli/commands/test_run.py, dpp in a worker's shell in test_pods.py
there, Kamatera, minikube-public and gcloud are in tests/cli/init/clusters; pods are real in tests/stories/on_a_cluster.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from bot.model.app_config import parse_app_config
from bot.model.names import RepoPath
from cli.init.flow import last_lines
from cli.remote.clusters import NamedCluster, add_cluster
from cli.remote.tokens import keep_token
from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support import seed
from tests.support.needs import needs
from tests.support.seed.examples import serving_committees, site_files
from tests.support.seed.world import PublicCluster, public_cluster
from tests.support.workloads import write_files


@pytest.fixture(scope="module")
@needs("an API server", "dpp")
def lab(tmp_path_factory: pytest.TempPathFactory, runtime: DppEnvironment) -> Iterator[PublicCluster]:
    with public_cluster(tmp_path_factory.mktemp("lab"), runtime) as made:
        yield made


@pytest.fixture
def source() -> Iterator[str]:
    """The URL of the data package that the examples load."""

    with serving_committees() as url:
        yield url


@pytest.fixture
def home(lab: PublicCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type in, of a person who knows no cluster yet, and whose token is pasted."""
    assert lab
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    folder = tmp_path / "app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
@pytest.mark.needs("an API server", "dpp")
def test_public_data_packages_a_site_of_them_and_a_cluster_that_publishes_elsewhere(
    lab: PublicCluster, home: Path, source: str
) -> None:
    """Three examples, as the second one loads what the first one published, and the third one runs it elsewhere."""
    token = lab.proxy.person().token
    said = lab.type("init", "public", "--url", lab.proxy.url, stdin=f"{token}\n")
    assert seed.not_said(seed.answer_to(seed.PACKAGES, "dppctl init public"), said) == []

    spec = yaml.safe_load(seed.file_of(seed.PACKAGES, "pipeline-spec.yaml"))
    spec["dump-to-path"]["pipeline"][0]["parameters"]["url"] = source
    write_files(home, {"pipeline-spec.yaml": json.dumps(spec)})
    said = lab.type("run", "./dump-to-path")
    assert seed.not_said(seed.answer_to(seed.PACKAGES, "dppctl run ./dump-to-path"), said) == [], said
    published = re.search(rf"^data/committees > ({re.escape(lab.storage_url)}/\S+/committees/)$", said, re.MULTILINE)
    assert published, said
    answer = requests.get(f"{published[1]}datapackage.json", timeout=10)
    assert answer.json()["resources"][0]["name"] == "kns_committee"

    write_files(home, site_files(f"{published[1]}datapackage.json"))
    said = lab.type("run", "all")
    assert seed.not_said(seed.answer_to(seed.SITE, "dppctl run all"), said) == [], said
    shown = re.search(r"^data/index\.html > (\S+/)$", said, re.MULTILINE)
    assert shown, said
    assert "<h1>Hello World</h1>" in requests.get(shown[1], timeout=10).text
    assert "ועדת הכספים" in requests.get(f"{shown[1]}list.html", timeout=10).content.decode()
    assert requests.get(f"{shown[1]}nowhere", timeout=10).status_code == 404

    # A cluster of one's own whose runs are published by this one: for the test it is the same.
    add_cluster(NamedCluster("minikube-public", lab.proxy.url, publish_to="public"))
    keep_token("minikube-public", token)
    lab.type("use", "minikube-public")
    said = lab.type("run")
    assert seed.not_said(seed.answer_to(seed.MINIKUBE_PUBLIC, "dppctl run"), said) == [], said
    relayed = re.search(r"^data/index\.html > (\S+/)$", said, re.MULTILINE)
    assert relayed, said
    assert relayed[1] != shown[1]
    assert "<h1>Hello World</h1>" in requests.get(relayed[1], timeout=10).text

    pods = json.loads(lab.type("list", "pods"))
    example = json.loads("\n".join(seed.answer_to(seed.PRIVATE, "dppctl list pods")))
    assert {"name", "status"} <= set(pods[0]) >= set(example[0])
    assert {pod["status"] for pod in pods} <= {pod["status"] for pod in example}


def test_continuous_deployment_is_said_as_in_the_example() -> None:
    config = parse_app_config(seed.file_of(seed.DEPLOYMENT, ".dppctl.yaml"), ".dppctl.yaml")
    app = RepoPath.parse("OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment")
    lines = [
        line for line in seed.answer_to(seed.DEPLOYMENT, "dppctl init") if line.startswith("setting up continuous")
    ]
    tags = seed.plain(lines[1])
    # A quote too many; and the environment, which the line before has too.
    ours = tags.replace("pipelines' on", "pipelines on").replace("to ops repo", "to production environment of ops repo")
    assert seed.not_said(lines, "\n".join(last_lines(app, config)), {tags: ours}) == []
