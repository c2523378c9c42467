"""`dppctl init` where `.dppctl.yaml` names a cluster of Google: the first example of the project, word by word."""

import os
import secrets
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cli.init.command import init
from tests.support.environment import use_kubeconfig
from tests.support.forge import git
from tests.support.github.fake import FakeGitHub

pytestmark = [pytest.mark.slow, pytest.mark.needs("an API server")]

CONFIG = """\
clusterProvider: gcloud
gcloudProjectId: dppctl
gcloudZone: us-central1-a
gcloudClusterName: dppctl
gcloudClusterNamespace: dppctl
continuousDeployment:
- appRepoPath: OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment
  opsRepoPath: OriHoch/examples/opsRepo
  actions:
  - branch: master
    environment: staging
    pipeline: all
  - tags: true
    environment: production
    pipeline: all
"""
SPEC = "hello:\n  pipeline:\n  - run: add_metadata\n    parameters: {name: hello}\n"
# A gcloud that has the cluster, or, where a file says so, one that has none and begins to make it.
PROGRAM = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$*" in *create*) exit 0;; esac
[ -e "$0.empty" ] || { echo '{"name": "dppctl", "status": "RUNNING"}'; exit 0; }
echo 'ERROR: (gcloud.container.clusters.describe) ResponseError: code=404, message=Not found: dppctl.' >&2; exit 1
"""


@pytest.fixture
def namespace(kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A gcloud that says that the cluster runs, and a kubeconfig that has it; the namespace to use there."""
    program = tmp_path / "bin" / "gcloud"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    program.with_name("gke-gcloud-auth-plugin").symlink_to("gcloud")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    real = yaml.safe_load(Path(kubeconfig).read_text())
    real["contexts"][0]["name"] = real["current-context"] = "gke_dppctl_us-central1-a_dppctl"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(real))
    use_kubeconfig(monkeypatch, str(tmp_path / "kubeconfig"))
    return f"gcloud-{secrets.token_hex(4)}"


def clone(github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the app's folder in a clone, which is the current one; the servers' folder is beside it."""
    github.user("OriHoch", "his")
    github.user("robot", "its")
    repository = github.repository("OriHoch/dppctl", robot="write")
    github.repository("OriHoch/examples", robot="write")
    folder = "examples/customDockerImageAndContinuousDeployment"
    files = {".dppctl.yaml": CONFIG, "pipeline-spec.yaml": SPEC}
    files["Dockerfile"] = "from frictionlessdata/datapackage-pipelines\n"
    repository.git.push({f"{folder}/{name}": text for name, text in files.items()})
    git(repository.git.work, "remote", "set-url", "origin", f"{github.url}/OriHoch/dppctl.git")
    servers = tmp_path / "servers"
    servers.mkdir()
    (servers / ".env").write_text(f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\n")
    monkeypatch.setenv("DPPCTL_OWNER_TOKEN", "his")
    monkeypatch.chdir(repository.git.work / folder)
    return repository.git.work / folder


def test_the_cluster_is_ready_then_github_is_asked_about(
    github: FakeGitHub, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clone(github, tmp_path, monkeypatch)
    answers = ["--config", str(tmp_path / "servers"), "--env-file", "--namespace", namespace]
    done = CliRunner().invoke(init, answers, input="its\nrobot\nrobot@example.org\nhttps://dppctl.example.org\n")
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "\ngcloud cluster is ready: context gke_dppctl_us-central1-a_dppctl, namespace " in f"\n{done.output}"
    asked = done.output.index("cluster is ready"), done.output.index("GitHub Auth Token")
    assert asked == tuple(sorted(asked))
    assert done.output.endswith(
        "setting up continuous deployment of 'all' pipelines on commits to master branch of "
        "OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment to staging environment of ops repo "
        "OriHoch/examples/opsRepo\n"
        "setting up continuous deployment of 'all' pipelines on published tags of "
        "OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment to production environment of ops repo "
        "OriHoch/examples/opsRepo\n"
    )
    assert (folder / ".dppctl.yaml").read_text() == CONFIG, "it stays as it is"
    ops = github.repo("OriHoch/examples").git.bare
    assert "opsRepo/chart/Chart.yaml" in git(ops, "ls-tree", "-r", "--name-only", "HEAD").splitlines()


def test_a_cluster_that_is_missing_is_begun_and_nothing_else_is_done_yet(
    github: FakeGitHub, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clone(github, tmp_path, monkeypatch)
    (tmp_path / "bin" / "gcloud.empty").touch()
    done = CliRunner().invoke(init, ["--config", str(tmp_path / "servers"), "--env-file", "--yes"])
    assert (done.exit_code, namespace in done.output) == (0, False), done.output
    assert done.output.startswith("A new GKE cluster dppctl in us-central1-a of the project dppctl costs money as long")
    assert done.output.endswith(
        "make the GKE cluster dppctl (standard) in us-central1-a\n"
        "Initializing Cluster, re-run dppctl init to track initialization progress\n"
    )
    assert "clusters create dppctl --location=us-central1-a" in (tmp_path / "bin" / "gcloud.calls").read_text()
    assert (github.writes, (folder / ".dppctl.yaml").read_text()) == ([], CONFIG)
