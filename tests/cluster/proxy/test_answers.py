"""Pods and pools as the API shows them, from Kubernetes' objects."""

from typing import Any

from cluster.operator.pool_names import pool_of_image
from cluster.operator.state import Pool
from cluster.proxy.answers import pod_infos, pool_infos, run_info

CREATED = "2026-01-31T12:00:00Z"


def pod(name: str, component: str, state: str, *, ready: bool = True, run: str = "") -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component, "dppctl.io/pool": "default", "dppctl.io/state": state}
    about = {"name": name, "uid": f"uid-{name}", "creationTimestamp": CREATED}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {**about, "labels": {**labels, **({"dppctl.io/run": run} if run else {})}},
        "status": {"conditions": conditions, "startTime": CREATED},
    }


PODS = [
    pod("w1", "worker", "available"),
    pod("w2", "worker", "available", ready=False),
    pod("w3", "worker", "assigned", run="u1"),
    pod("d1", "database", "assigned", run="u2"),
    pod("d2", "database", "available"),
]


def test_a_pod_is_starting_available_or_assigned_and_its_run_is_shown_to_those_who_may_see_it() -> None:
    going = pod("w4", "worker", "assigned")
    going["metadata"]["deletionTimestamp"] = CREATED
    shown = [(each.name, each.kind, each.state, each.run) for each in pod_infos([*PODS, going], {"u1": "run-1"})]
    assert shown == [
        ("w1", "worker", "available", None),
        ("w2", "worker", "starting", None),
        ("w3", "worker", "assigned", "run-1"),
        ("d1", "database", "assigned", None),
        ("d2", "database", "available", None),
    ]


def test_a_pool_says_how_many_of_its_workers_wait() -> None:
    pools = [Pool("default", 2, 10), Pool("empty", 0, 1, "persistent")]
    assert [(each.name, each.waiting, each.mode) for each in pool_infos(pools, PODS)] == [
        ("default", 1, "ephemeral"),
        ("empty", 0, "persistent"),
    ]


def test_a_run_that_somebody_made_with_kubectl_is_shown_too() -> None:
    about = {"name": "by-hand", "uid": "u", "creationTimestamp": CREATED}
    spec = {"pipelines": ["all"], "workload": {"sha256": "0" * 64, "bytes": 1}}
    run = run_info({"metadata": about, "spec": spec})
    assert (run.user, run.phase, run.pool, run.worker) == ("", "Pending", "default", None)
    of_image = {**spec, "pool": "default", "image": "example.org/app:1"}
    assert run_info({"metadata": about, "spec": of_image}).pool == pool_of_image("example.org/app:1")
    status = {"phase": "Running", "worker": {"name": "w3", "uid": "x"}, "rows": 5, "startedAt": CREATED}
    run = run_info({"metadata": about, "spec": spec, "status": status})
    assert (run.worker and run.worker.name, run.rows, run.started, run.database) == ("w3", 5, CREATED, None)
