"""`dppctl init PROVIDER` as a person types it, with a provider whose cluster is begun, starts and becomes ready."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from cli.commands.login import clusters_
from cli.errors import InputError
from cli.init.clusters.flags import SettingFlag
from cli.init.command import init
from cli.init.prompts import Questions
from cli.providers import PROVIDERS
from cli.providers.kubeconfig import Kubeconfig
from cli.providers.provider import ClusterState
from cli.remote.clusters import InitializedCluster, choose_cluster, keep_initialized, read_clusters
from tests.support.runs_cluster import IMAGES, READY, RunsCluster

FLAG = SettingFlag("lab", "--lab-account", "labAccount", "whose it is.")


class Lab(Kubeconfig):
    """A cluster in a laboratory: its state is what `world` says."""

    kind = "lab"
    makes_cluster = True
    default_workers = 2
    default_databases = 1
    world: ClassVar[dict[str, Any]] = {}

    def ask(self, questions: Questions) -> None:
        if "labAccount" not in self._settings:
            self._settings["labAccount"] = questions.text("Lab Account", "--lab-account")

    def settings(self) -> dict[str, str]:
        return {"labAccount": self._settings["labAccount"]}

    @property
    def namespace(self) -> str:
        return str(self.world["namespace"])

    def state(self) -> ClusterState:
        found = self.world["states"]
        return ClusterState(*(found.pop(0) if len(found) > 1 else found[0]))

    def cost(self) -> str:
        return "It costs 3 a month, as the laboratory's page says"

    def start(self, *, dry_run: bool) -> str | None:
        if self.world["states"][0][0] == "ready":
            return super().start(dry_run=dry_run)
        if not dry_run:
            self.world["begun"] = read_clusters().initialized["lab"]
            self.world["states"] = [("starting", "Waiting for Lab cluster initialization")]
        return "begin the cluster of the laboratory"

    def remove(self, *, dry_run: bool) -> list[str]:
        self.world.setdefault("removed", []).append(dry_run)
        return ["delete the cluster of the laboratory", "leave the floor: it is the house's"]

    def runs_values(self) -> dict[str, Any]:
        return {"runs": {"operator": {"env": [{"name": "TZ", "value": "UTC"}]}}}


@pytest.fixture
def world(runs_cluster: RunsCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setitem(PROVIDERS, "lab", f"{__name__}:Lab")
    monkeypatch.setattr("cli.init.clusters.bring_up.CLUSTER_POLL_SECONDS", 0.0)
    monkeypatch.setattr(Lab, "world", {"namespace": runs_cluster.namespace, "states": [("missing", "not made")]})
    yield Lab.world
    runs_cluster.api.delete(runs_cluster.path)


def typed(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(init, [*arguments], input=stdin)


@pytest.mark.slow
@pytest.mark.needs("an API server", "helm")
def test_a_cluster_is_begun_waited_for_used_and_removed(
    world: dict[str, Any], runs_cluster: RunsCluster, tmp_path: Path
) -> None:
    said = typed("lab", "--dry-run", stdin="ann\n").output
    assert said.endswith("laboratory's page says\nwould begin the cluster of the laboratory\n")
    assert not read_clusters().initialized
    refused = typed("lab", *IMAGES, stdin="ann\n")
    assert str(refused.exception) == "Make it?: nobody answers; give --yes"
    assert not read_clusters().initialized
    assert str(typed("lab", stdin="ann\nn\n").exception) == "nothing was made"

    said = typed("lab", *IMAGES, "--token-user=ann", stdin="ann\ny\n").output
    assert said.endswith(
        "begin the cluster of the laboratory\n"
        "Initializing Cluster, re-run dppctl init to track initialization progress\n"
    )
    assert world["begun"].settings == {"labAccount": "ann"}, "known before it was begun"
    with pytest.raises(InputError, match="the cluster lab is not ready yet; `dppctl init` goes on with it"):
        choose_cluster("lab", tmp_path)

    assert "a lab cluster that is not ready yet" in CliRunner().invoke(clusters_, ["-o", "table"]).output
    said = typed("--dry-run").output
    assert said == "Waiting for Lab cluster initialization\n"
    world["states"] = [
        ("starting", "Waiting for Lab cluster initialization"),
        ("starting", "1 of 2 nodes"),
        ("ready", ""),
    ]
    with runs_cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
        said = typed(stdin="").output
    assert said.startswith("Waiting for Lab cluster initialization\n1 of 2 nodes\ncreate the namespace ")
    begun = said.index(
        "Cluster is ready, starting 1 persistent DB pod and 2 persistent worker pods\nDB pod: dppctl-runs-"
    )
    assert said[begun:].count("\nWorker pod: dppctl-runs-") == 2
    assert said.endswith("dppctl initialization completed successfully\n")
    kept = json.loads((tmp_path / "clusters.json").read_text())
    assert kept["current"] == "lab"
    assert kept["initialized"]["lab"]["state"] == "ready"
    (container,) = runs_cluster.api.get(f"{runs_cluster.deployments}/dppctl-runs-operator")["spec"]["template"]["spec"][
        "containers"
    ]
    assert {"name": "TZ", "value": "UTC"} in container["env"], "what runs have on that kind of cluster"

    with runs_cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
        assert "  done" not in typed("--dry-run").output, "again, without its name: it knows the account and the flags"
    assert str(typed("lab", "--remove", stdin="\n").exception) == "nothing was removed", "Enter is no"
    said = typed("lab", "--remove", "--yes").output
    assert "uninstall the release dppctl-runs" in said
    assert said.endswith(
        "  done     delete the cluster of the laboratory\n  stays    leave the floor: it is the house's\n"
    )
    assert not read_clusters().initialized
    assert world["removed"] == [False]


@pytest.mark.needs("an API server", "helm")
def test_what_cannot_go_on_is_one_line(
    world: dict[str, Any], runs_cluster: RunsCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    world["states"] = [("failed", "the laboratory says: no floor space; ask for some")]
    assert str(typed("lab", stdin="ann\n").exception) == "the laboratory says: no floor space; ask for some"
    assert str(typed("lab", "--yes").exception) == "Lab Account: nobody is asked with --yes; give --lab-account"
    world["states"] = [("starting", "Waiting")]
    monkeypatch.setattr("cli.init.clusters.bring_up.CLUSTER_WAIT_SECONDS", 0.0)
    assert re.search("Waiting: not ready after 0 minutes; run the same", str(typed("lab", stdin="ann\n").exception))
    for name in ("lab", "second"):
        keep_initialized(name, InitializedCluster("lab", {"labAccount": "ann"}))
    several = "several clusters are being initialized (lab, second); say which: --cluster-name NAME"
    assert str(typed().exception) == several
    assert str(typed("--cluster-name=second").exception).startswith("Waiting: not ready after")
    assert "--cluster-name other: no cluster of that name" in str(typed("--cluster-name=other").exception)
    monkeypatch.setenv("PATH", os.devnull)
    assert "helm is not on the PATH; https://helm.sh/docs/intro/install/" in str(typed("lab").exception)
    assert runs_cluster.api.get(runs_cluster.path) is None, "nothing was made"


@pytest.mark.needs("an API server", "helm")
def test_a_cluster_that_does_not_answer_is_removed_all_the_same(
    world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: object) -> int:
        raise InputError("the cluster lab does not answer")

    monkeypatch.setattr("cli.init.clusters.flow.remove_runs", dead)
    world["states"] = [("ready", "")]
    said = typed("lab", "--remove", stdin="y\nann\n")
    assert "  left     what runs there: the cluster lab does not answer\n" in said.output
    assert "delete the cluster of the laboratory" in said.output
    assert world["removed"] == [False]
