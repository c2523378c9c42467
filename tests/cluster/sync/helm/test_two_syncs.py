"""Two `dppctl sync` for the same environments, as processes: one deploys, the other waits."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
import requests

from tests.support.command import Dppctl
from tests.support.environment import REPOSITORY
from tests.support.faulty_api import HANGS, FaultyApi
from tests.support.helm import helm
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow

APPS = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, production]}\n"


class Syncs:
    """Starts syncs, each with a folder of its own, for the environments of a cluster."""

    def __init__(self, cluster: Cluster, dppctl: Dppctl) -> None:
        self._cluster, self._dppctl = cluster, dppctl
        self.processes: list[subprocess.Popen[str]] = []

    def settings(self, environments: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        """Return a new folder with apps.yaml, and the variables beside it."""
        cluster, number = self._cluster, len(list(self._cluster.folder.glob("config-*")))
        config = write_files(cluster.folder / f"config-{number}", {"apps.yaml": APPS})
        named = ",".join(f"{name}={cluster.namespaces[name]}" for name in environments)
        return str(config), {
            "DPPCTL_GITHUB_URL": cluster.world.forge.url,
            "DPPCTL_SYNC_ENVIRONMENTS": named,
            "DPPCTL_STATE_DIR": str(config / "state"),
            "DPPCTL_PORT": "0",
            "KUBECONFIG": os.environ["KUBECONFIG"],
            "PATH": f"{helm().parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self, *environments: str, kubeconfig: str = "") -> tuple[subprocess.Popen[str], str]:
        """Start a sync, and return its process and the URL of its HTTP; `kubeconfig`: another way to the cluster."""
        config, settings = self.settings(environments)
        settings["KUBECONFIG"] = kubeconfig or settings["KUBECONFIG"]
        process = self._dppctl.start("sync", "--config", config, **settings)
        self.processes.append(process)
        assert process.stdout
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found
        return process, found[0]

    def once(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run one for both environments to its end, with --once."""
        config, settings = self.settings(("staging", "production"))
        return self._dppctl("sync", "--config", config, "--once", *options, **settings)


@pytest.fixture
def syncs(cluster: Cluster, dppctl: Dppctl) -> Iterator[Syncs]:
    """End what a test left running."""
    made = Syncs(cluster, dppctl)
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()


def readiness(url: str) -> tuple[int, str]:
    answer = requests.get(f"{url}/readyz", timeout=5)
    return answer.status_code, answer.json().get("error", "")


def test_the_second_waits_until_the_first_has_ended(cluster: Cluster, syncs: Syncs) -> None:
    cluster.say(pipelines=(), people={"text": "first"})
    first, at_first = syncs.start("staging", "production")
    eventually(lambda: readiness(at_first)[0] == 200, "the first deploys")
    _, at_second = syncs.start("staging", "production")
    eventually(lambda: " deploys these environments" in readiness(at_second)[1], "the second waits")
    assert f"-{first.pid}-" in readiness(at_second)[1]
    assert requests.get(f"{at_second}/healthz", timeout=5).status_code == 200
    eventually(lambda: cluster.text() == "first", "the first has deployed")

    refused = syncs.once()
    assert refused.returncode == 2
    said = rf"^dppctl: \S+-{first.pid}-\w+ deploys these environments \(it holds the Lease "
    assert re.search(said, refused.stderr, re.MULTILINE)
    shown = syncs.once("--dry-run")
    assert (shown.returncode, "nothing changes" in shown.stdout) == (0, True)

    _, at_third = syncs.start("production")
    eventually(lambda: readiness(at_third)[0] == 200, "one for other environments works beside it")

    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    eventually(lambda: readiness(at_second)[0] == 200, "the second takes over", 30)
    cluster.say(pipelines=(), people={"text": "second"})
    eventually(lambda: cluster.text() == "second", "the second deploys")


def test_what_a_kill_left_runs_out(cluster: Cluster, syncs: Syncs) -> None:
    cluster.say(pipelines=(), people={"text": "first"})
    first, at_first = syncs.start("staging", "production")
    eventually(lambda: readiness(at_first)[0] == 200, "the first deploys")
    _, at_second = syncs.start("staging", "production")
    eventually(lambda: " deploys these environments" in readiness(at_second)[1], "the second waits")
    first.kill()
    first.wait()
    eventually(lambda: readiness(at_second)[0] == 200, "the second takes over", 120)
    assert cluster.text() == "first"


def test_who_loses_it_stops_and_waits_and_the_other_goes_on(cluster: Cluster, syncs: Syncs, faulty: FaultyApi) -> None:
    cluster.say(image="one")
    _, at_first = syncs.start("staging", "production", kubeconfig=faulty.kubeconfig)
    cluster.until("running")
    _, at_second = syncs.start("staging", "production")
    eventually(lambda: " deploys these environments" in readiness(at_second)[1], "the second waits")
    with faulty.failing("GET PUT", "/leases/", HANGS):
        eventually(lambda: " is lost" in readiness(at_first)[1], "the first stops", 60)
        assert " deploys these environments" in readiness(at_second)[1]
        asked = len(faulty.seen)
        eventually(lambda: readiness(at_second)[0] == 200, "the second takes over", 60)
        assert [call for call in faulty.seen[asked:] if "/leases/" not in call] == []
    faulty.released.set()
    eventually(lambda: " deploys these environments" in readiness(at_first)[1], "the first waits")
    cluster.job_ends(receipt())
    cluster.until("succeeded")
    assert len(cluster.objects("jobs")) == 1
