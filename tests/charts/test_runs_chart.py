"""What `runs.enabled` adds to the chart `dppctl`: operator, proxy, and a pool by the pipelines' own chart."""

import json
from typing import Any

import pytest

from bot.settings.variables import variables
from tests.support.charts.dppctl import ALL, RUNS, SYNC, Objects, asked, environment, named, pods, rendered

pytestmark = pytest.mark.needs("helm")


def mounted(pod: dict[str, Any]) -> dict[str, set[str]]:
    """The keys of each Secret that a pod has as files."""
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    return {secret["secretName"]: {item["key"] for item in secret["items"]} for secret in secrets}


def policy(objects: Objects, component: str) -> dict[str, Any]:
    spec: dict[str, Any] = named(objects, "NetworkPolicy", f"dppctl-{component}")["spec"]
    return spec


def test_without_it_nothing_of_runs_is_there() -> None:
    objects = rendered(SYNC)
    assert not [found for found in objects if found["metadata"]["name"].endswith(("-operator", "-proxy", "-workers"))]


def test_runs_alone_need_nothing_of_github() -> None:
    """And what deploys by GitHub is not there at all, nor its keys."""
    objects = rendered(RUNS)
    assert set(pods(objects)) == {
        *("dppctl-operator", "dppctl-proxy", "dppctl-workers", "dppctl-test", "dppctl-test-image"),
    }  # fmt: skip
    assert "github-token" not in str(objects)
    assert "dppctl-apps" not in str(objects)


def test_each_has_its_own_keys_as_files_and_no_other() -> None:
    found = pods(rendered(ALL))
    assert mounted(found["dppctl-operator"]) == {"dppctl": {"operator-token", "pool-key"}}
    proxy = mounted(pods(rendered(RUNS))["dppctl-proxy"])
    assert proxy == {"dppctl": {"operator-token"}, "dppctl-tokens": {"tokens.json"}}
    assert mounted(found["dppctl-workers"]) == {"dppctl": {"pool-key"}}
    (worker,) = found["dppctl-workers"]["containers"]
    assert "key" not in {mount["name"] for mount in worker["volumeMounts"]}, "what runs people's code has no key"
    assert found["dppctl-workers"]["automountServiceAccountToken"] is False
    assert found["dppctl-workers"]["runtimeClassName"] == "gvisor"


def test_a_pool_with_another_key_than_the_operators_is_refused() -> None:
    done = asked("template", {**RUNS, "existingSecret": "other"})
    assert done.returncode != 0
    assert "pool.workers.keySecret: is dppctl, and the operator's key is in the Secret other" in done.stderr
    done = asked("template", {"runs": {"enabled": True}})
    assert "workers.image: is not set" in done.stderr


def test_the_servers_find_each_other() -> None:
    objects = rendered(RUNS)
    operator, proxy = (pods(objects)[f"dppctl-{name}"] for name in ("operator", "proxy"))
    for pod, variable in ((operator, "DPPCTL_OPERATOR_LISTEN"), (proxy, "DPPCTL_PROXY_LISTEN")):
        (container,) = pod["containers"]
        (port,) = container["ports"]
        assert environment(pod)[variable] == f"0.0.0.0:{port['containerPort']}"
        assert container["readinessProbe"]["httpGet"]["port"] == container["livenessProbe"]["httpGet"]["port"] == "http"
        assert environment(pod)["DPPCTL_RUNS_NAMESPACE"] == "tools"
    assert environment(proxy)["DPPCTL_OPERATOR_URL"] == "http://dppctl-operator"
    assert named(objects, "Service", "dppctl-operator")["spec"]["ports"][0]["port"] == 80
    assert named(objects, "Deployment", "dppctl-operator")["spec"]["strategy"] == {"type": "Recreate"}


def test_only_the_proxy_reaches_the_operator_and_only_the_operator_workers() -> None:
    objects = rendered({**RUNS, "serviceMonitor": {"enabled": False}})
    labels = {name: pod["metadata"]["labels"] for name, pod in _templates(objects).items()}

    def let_in(component: str) -> set[str]:
        (rule,) = policy(objects, component)["ingress"]
        chosen = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
        assert all(set(peer) == {"podSelector"} for peer in rule["from"]), "of this namespace"
        return {name for name, own in labels.items() if any(each.items() <= own.items() for each in chosen)}

    assert let_in("operator") == {"dppctl-proxy"}
    assert let_in("workers") == {"dppctl-operator"}


def test_workers_reach_the_web_and_neither_the_cluster_nor_the_nodes_metadata() -> None:
    objects = rendered(RUNS)
    database, dns, world = policy(objects, "workers")["egress"]
    assert database["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "database"
    assert {port["port"] for port in dns["ports"]} == {53}
    assert {port["port"] for port in world["ports"]} == {80, 443}
    v4, v6 = (peer["ipBlock"]["except"] for peer in world["to"])
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"} == set(v4)
    assert set(v6) == {"fc00::/7", "fe80::/10"}
    own = {"pool": {"workers": {"image": "a", "ports": [], "exceptAddresses": ["203.0.113.7/32"]}}}
    assert "ports" not in policy(rendered({**RUNS, **own}), "workers")["egress"][2]


@pytest.mark.parametrize("mode", ["ephemeral", "persistent"])
def test_as_many_workers_and_databases_wait_as_the_values_say(mode: str) -> None:
    pool = {"image": "example.org/runtime:1", "mode": mode, "replicas": 4, "database": True, "databases": 3}
    objects = rendered({**RUNS, "pool": {"workers": pool}})
    found = {
        name: named(objects, "Deployment", f"dppctl-{name}")["spec"]["replicas"] for name in ("workers", "databases")
    }
    assert found == {"workers": 4, "databases": 3}


def test_a_database_has_the_key_in_its_first_container_alone_and_lets_in_workers_and_the_proxy() -> None:
    objects = rendered({**RUNS, "pool": {"workers": {"image": "example.org/runtime:1", "database": True}}})
    found = pods(objects)["dppctl-databases"]
    assert mounted(found) == {"dppctl": {"pool-key"}}
    mounts = {each["name"]: {mount["name"] for mount in each["volumeMounts"]} for each in found["containers"]}
    assert mounts == {"postgresql": {"dppctl", "data", "run"}, "adminer": {"ui"}}
    template = _templates(objects)["dppctl-databases"]["metadata"]["labels"]
    assert (template["dppctl.io/pool"], template["dppctl.io/state"]) == ("default", "available")
    spec = policy(objects, "databases")
    assert "egress" not in spec
    let_in = {rule["ports"][0]["port"]: rule["from"][0]["podSelector"]["matchLabels"] for rule in spec["ingress"]}
    assert {port: labels["app.kubernetes.io/component"] for port, labels in let_in.items()} == {
        5432: "worker", 8080: "proxy"
    }  # fmt: skip
    done = asked(
        "template", {**RUNS, "pool": {"workers": {"image": "a", "database": True}, "database": {"enabled": True}}}
    )
    assert "workers.database: excludes database.enabled" in done.stderr


def test_pools_of_images_are_like_the_charts_own_and_the_servers_know_their_variables() -> None:
    values = {**RUNS, "pool": {"database": {"image": "example.org/postgres:1"}, **RUNS["pool"]}}
    objects = rendered(values)
    shared = json.loads(named(objects, "ConfigMap", "dppctl-pools")["data"]["values.json"])
    assert (shared["workers"]["runtimeClassName"], shared["workers"]["keySecret"]) == ("gvisor", "dppctl")
    assert shared["database"]["image"] == "example.org/postgres:1"
    for name in ("dppctl-operator", "dppctl-proxy"):
        assert set(environment(pods(objects)[name])) <= variables()


def _templates(objects: Objects) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found["spec"]["template"] for found in objects if found["kind"] == "Deployment"}
