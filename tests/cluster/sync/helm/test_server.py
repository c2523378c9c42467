"""Sync's HTTP, and the command as a user has it."""

import os
from pathlib import Path

import requests

from bot.probes import HttpServer
from cluster.sync.helm.server import SyncApplication
from tests.support.command import Dppctl
from tests.support.environment import REPOSITORY
from tests.support.helm import helm
from tests.support.stories.helm_cluster import Cluster
from tests.support.workloads import write_files


def test_the_bot_wakes_it_and_probes_and_metrics_answer(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    server = HttpServer("127.0.0.1", 0, SyncApplication("s3cret", cluster.sync, cluster.helm).respond)
    try:
        url = server.address
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        assert requests.get(f"{url}/readyz", timeout=5).status_code == 503
        cluster.sync.sync()
        assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert 'dppctl_sync_environments{phase="succeeded"} 1.0' in metrics
        assert 'dppctl_sync_actions_total{action="deploy"} 1.0' in metrics
        assert requests.get(f"{url}/wake", timeout=5).status_code == 404
        cluster.sync._wake.clear()
        refused = requests.post(f"{url}/wake", headers={"Authorization": "Bearer wrong"}, timeout=5)
        assert (refused.status_code, cluster.sync._wake.is_set()) == (401, False)
        taken = requests.post(f"{url}/wake", headers={"Authorization": "Bearer s3cret"}, timeout=5)
        assert (taken.status_code, cluster.sync._wake.is_set()) == (202, True)
    finally:
        server.close()


def test_the_command_shows_what_would_change_and_then_does_it(cluster: Cluster, dppctl: Dppctl) -> None:
    config = write_files(
        cluster.folder / "config",
        {"apps.yaml": "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, production]}\n"},
    )
    settings = {
        "DPPCTL_GITHUB_URL": cluster.world.forge.url,
        "DPPCTL_SYNC_ENVIRONMENTS": ",".join(f"{name}={where}" for name, where in cluster.namespaces.items()),
        "KUBECONFIG": os.environ["KUBECONFIG"],
        "PATH": f"{helm().parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }

    def sync(*options: str) -> str:
        done = dppctl("sync", "--config", str(config), *options, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cluster.say(pipelines=(), people={"text": "first", "password": "hush"})
    shown = sync("--once", "--dry-run")
    assert "+++ ConfigMap/" in shown
    assert "+  text: first" in shown
    assert "hush" not in shown
    assert cluster.release() is None
    sync("--once")
    assert cluster.text() == "first"
    assert "nothing changes" in sync("--once", "--dry-run")
    cluster.people_say({"text": "second", "password": "other"})
    shown = sync("--once", "--dry-run")
    assert "-  text: first\n+  text: second\n" in shown
    assert "password: '*** (after)'" in shown
    assert cluster.text() == "first"


def test_what_is_missing_is_one_line(dppctl: Dppctl, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps: []\n")
    done = dppctl("sync", "--config", str(tmp_path))
    said = "dppctl: DPPCTL_SYNC_ENVIRONMENTS: is not set; say staging=NAMESPACE,production=NAMESPACE\n"
    assert (done.returncode, done.stderr) == (2, said)
    done = dppctl("sync", "--config", str(tmp_path), "--dry-run")
    assert (done.returncode, done.stderr) == (2, "dppctl: --dry-run goes with --once\n")
