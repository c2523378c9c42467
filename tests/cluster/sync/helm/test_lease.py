"""A Lease on a real API server: one process holds it, and stops before another one has it."""

import json
import threading
import time
from pathlib import Path

import pytest

from bot.kubeconfig import own_namespace
from bot.kubernetes import KubernetesClient, NoClusterError
from cluster.errors import ClusterError
from cluster.sync.helm.lease import Lease, lease_name
from cluster.sync.helm.lease_holding import LeaseHolding
from tests.support.environment import use_kubeconfig
from tests.support.faulty_api import HANGS, FaultyApi
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import eventually

HOLDS, DEADLINE = 6, 2.0


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.sync.helm.lease.LEASE_SECONDS", HOLDS)
    monkeypatch.setattr("cluster.sync.helm.lease.LEASE_DEADLINE_SECONDS", DEADLINE)
    monkeypatch.setattr("cluster.sync.helm.lease_holding.LEASE_RENEW_SECONDS", 0.3)
    monkeypatch.setattr("cluster.sync.helm.lease_holding.LEASE_POLL_SECONDS", 0.1)
    monkeypatch.setattr("cluster.sync.helm.lease_holding.LEASE_WATCH_SECONDS", 0.05)


def lease(cluster: Cluster, identity: str, api: KubernetesClient | None = None) -> Lease:
    name = lease_name(cluster.sync.locations.values())
    return Lease(api or cluster.api, cluster.namespaces["staging"], name, identity)


def test_what_was_given_up_is_taken_at_once_and_what_a_kill_left_when_it_has_run_out(cluster: Cluster) -> None:
    first, second = lease(cluster, "first"), lease(cluster, "second")
    assert (first.acquire(), first.is_held) == (True, True)
    assert first.acquire()
    assert (second.acquire(), second.is_held, second.other) == (False, False, "first")
    first.give_up()
    assert not first.is_held
    assert second.acquire()
    spec = cluster.api.list(f"/apis/coordination.k8s.io/v1/namespaces/{second.namespace}/leases")[0]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("second", HOLDS, 1)
    assert not first.acquire()
    began = time.monotonic()
    eventually(first.acquire, "it has run out", 20)
    assert time.monotonic() - began >= HOLDS - 0.5
    assert (second.acquire(), second.is_held, second.other) == (False, False, "first")


def test_of_many_that_want_it_at_the_same_time_one_has_it(cluster: Cluster) -> None:
    together, taken = threading.Barrier(8), []

    def want(identity: str) -> None:
        wanted = lease(cluster, identity)
        together.wait()
        if wanted.acquire():
            taken.append(identity)

    threads = [threading.Thread(target=want, args=[f"sync-{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


@pytest.mark.parametrize("kind", [HANGS, 403, 500])
def test_who_cannot_renew_it_stops_before_another_begins(cluster: Cluster, faulty: FaultyApi, kind: int | str) -> None:
    of_first, of_second = lease(cluster, "first", KubernetesClient(faulty.kubeconfig)), lease(cluster, "second")
    first, second = LeaseHolding(of_first), LeaseHolding(of_second)
    stopping, lost = threading.Event(), threading.Event()
    assert first.wait(stopping)
    with first.renewed(lost.set):
        threading.Thread(target=second.wait, args=[stopping], daemon=True).start()
        eventually(lambda: second.problem == "waits: first deploys these environments", "the second waits")
        with faulty.failing("GET PUT", "/leases/", kind):
            eventually(lost.is_set, "it is lost", 20)
            assert not of_second.is_held
            eventually(lambda: of_second.is_held, "the second has it", 20)
            faulty.released.set()
    assert first.problem
    assert not of_first.is_held


def test_who_finds_it_with_another_stops_at_once(cluster: Cluster) -> None:
    first, second = LeaseHolding(lease(cluster, "first")), lease(cluster, "second")
    lost = threading.Event()
    assert first.wait(threading.Event())
    with first.renewed(lost.set):
        [found] = cluster.api.list(leases := f"/apis/coordination.k8s.io/v1/namespaces/{second.namespace}/leases")
        cluster.api.delete(f"{leases}/{found['metadata']['name']}")
        second.acquire()
        eventually(lost.is_set, "it is lost", 10)
    assert "is lost to second" in str(first.problem) or "was not renewed" in str(first.problem)


def test_one_pass_is_refused_beside_another_that_lives_and_waits_for_what_a_kill_left(cluster: Cluster) -> None:
    first, second = LeaseHolding(lease(cluster, "first")), LeaseHolding(lease(cluster, "second"))
    stopping = threading.Event()
    assert first.wait(stopping)
    with (
        first.renewed(lambda: None),
        pytest.raises(ClusterError, match=r"^first deploys these environments .*dry-run$"),
    ):
        second.take(stopping)
    killed = lease(cluster, "killed")
    assert killed.acquire()
    third = LeaseHolding(lease(cluster, "third"))
    assert third.take(stopping)
    nowhere = Lease(cluster.api, "not-there", "dppctl-sync", "lost")
    with pytest.raises(
        ClusterError, match=r"cannot be had: .*; sync needs get, create and update of leases in namespac"
    ):
        LeaseHolding(nowhere).take(stopping)


def test_others_environments_have_a_lease_of_their_own(cluster: Cluster) -> None:
    everywhere = list(cluster.sync.locations.values())
    assert lease_name(everywhere) == lease_name(reversed(everywhere))
    assert len({lease_name(everywhere), lease_name(everywhere[:1]), lease_name(everywhere[1:])}) == 3


def test_the_own_namespace_is_the_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(kubeconfig_of(tmp_path, "http://127.0.0.1:1"))
    use_kubeconfig(monkeypatch, str(file))
    assert own_namespace() == "default"
    content = json.loads(file.read_text())
    content["contexts"][0]["context"]["namespace"] = "servers"
    file.write_text(json.dumps(content))
    assert own_namespace() == "servers"
    file.write_text("contexts: []\n")
    with pytest.raises(NoClusterError, match=r"^no cluster is configured: "):
        own_namespace()
