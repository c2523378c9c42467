"""What `public.enabled` adds to the chart `dppctl`, and which values it refuses: those that let strangers do harm."""

from typing import Any

import pytest
import yaml

from bot.settings.variables import variables
from tests.support.charts.dppctl import Objects, asked, environment, named, pods, rendered
from tests.support.docs.pages import blocks
from tests.support.schemas import VERSIONS, validate

pytestmark = [pytest.mark.needs("helm"), pytest.mark.slow]

HOST = "runs.example.org"
PUBLIC: dict[str, Any] = {
    "continuousDeployment": {"enabled": False},
    "publicUrl": f"https://{HOST}",
    "runs": {
        "enabled": True,
        "name": "the lab",
        "proxy": {"ingress": {"enabled": True, "host": HOST, "tlsSecret": "tls"}},
        "quota": {"pods": 40},
    },
    "auth": {"mode": "oauth", "admins": ["github:583231"], "github": {"clientId": "id"}},
    "usage": {"enabled": True, "limits": {"bans": [{"user": "github:1", "reason": "mining"}]}},
    "public": {"enabled": True, "operator": "the Lab", "contact": "abuse@example.org"},
    "pool": {
        "workers": {"image": "example.org/runtime:1", "runtimeClassName": "gvisor", "database": True},
        "resources": {"limits": {"cpu": 1, "memory": "2Gi", "ephemeral-storage": "4Gi"}},
    },
}


def with_value(path: str, value: object) -> dict[str, Any]:
    """PUBLIC with another value at a path such as `runs.quota`."""
    *folders, last = path.split(".")
    changed = found = dict(PUBLIC)
    for folder in folders:
        found[folder] = dict(found.get(folder, {}))
        found = found[folder]
    found[last] = value
    return changed


@pytest.mark.parametrize("major", [4, 3])
def test_it_renders_for_every_kubernetes(major: int) -> None:
    validate(rendered(PUBLIC, major), (VERSIONS[0], VERSIONS[-1]))
    done = asked("lint", PUBLIC, major)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_values_of_the_operators_guide_are_taken_as_they_are() -> None:
    (values,) = [block.text for block in blocks("docs/public-cluster.md") if "\npublicUrl: " in block.text]
    assert environment(pods(rendered(yaml.safe_load(values)))["dppctl-proxy"])["DPPCTL_PUBLIC_CLUSTER"] == "true"


def test_the_proxy_has_the_page_and_says_who_runs_it() -> None:
    objects = rendered(PUBLIC)
    proxy = pods(objects)["dppctl-proxy"]
    given = environment(proxy)
    assert {name for name in given if name.startswith("DPPCTL_")} <= variables()
    assert given["DPPCTL_PUBLIC_CLUSTER"] == "true"
    assert (given["DPPCTL_PUBLIC_OPERATOR"], given["DPPCTL_PUBLIC_CONTACT"]) == ("the Lab", "abuse@example.org")
    assert given["DPPCTL_PUBLIC_KEEP_DAYS"] == "90"
    mounts = {mount["mountPath"]: mount["name"] for mount in proxy["containers"][0]["volumeMounts"]}
    folder, _, file = given["DPPCTL_USAGE_LIMITS_FILE"].rpartition("/")
    (volume,) = [volume for volume in proxy["volumes"] if volume["name"] == mounts[folder]]
    assert file in named(objects, "ConfigMap", volume["configMap"]["name"])["data"]
    paths = named(objects, "Ingress", "dppctl-proxy")["spec"]["rules"][0]["http"]["paths"]
    assert [(path["path"], path["pathType"]) for path in paths] == [("/v1", "Prefix"), ("/", "Exact")]


def test_the_publisher_removes_what_is_old_and_shows_it_on_another_host() -> None:
    storage = {"enabled": True, "url": "https://data.example.com"}
    given = environment(pods(rendered(with_value("storage", storage)))["dppctl-publisher"])
    assert (given["DPPCTL_PUBLIC_CLUSTER"], given["DPPCTL_PUBLIC_KEEP_DAYS"]) == ("true", "90")
    for url in (f"https://{HOST}/data", f"https://data.{HOST}", "https://example.org"):
        done = asked("template", with_value("storage", {**storage, "url": url}))
        assert "must be of another domain than publicUrl" in done.stderr


def test_whoever_logs_in_gets_in_unless_lists_say_who() -> None:
    def users(values: dict[str, Any]) -> object:
        return environment(pods(rendered(values))["dppctl-auth"]).get("DPPCTL_AUTH_USERS")

    assert users(PUBLIC) == "*"
    assert users(with_value("auth.users", ["github:1"])) == "github:1"
    assert users(with_value("auth.organizations", ["hasadna"])) is None
    private = {**PUBLIC, "public": {"enabled": False}}
    assert users(private) is None
    assert "DPPCTL_PUBLIC_CLUSTER" not in environment(pods(rendered(private))["dppctl-proxy"])


def test_workers_are_ephemeral_isolated_and_reach_the_web_alone() -> None:
    objects = rendered(PUBLIC)
    workers = named(objects, "Deployment", "dppctl-workers")
    assert workers["metadata"]["labels"]["dppctl.io/mode"] == "ephemeral"
    pod = workers["spec"]["template"]["spec"]
    assert (pod["runtimeClassName"], pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (
        "gvisor", False, False,
    )  # fmt: skip
    # Amounts are text: a server of Kubernetes 1.20 refuses numbers that helm 4 applies.
    assert named(objects, "ResourceQuota", "dppctl-runs")["spec"]["hard"] == {"pods": "40"}
    limits = pod["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "4Gi"}
    egress = named(objects, "NetworkPolicy", "dppctl-workers")["spec"]["egress"]
    (web,) = [rule for rule in egress if "ipBlock" in rule["to"][0]]
    assert [port["port"] for port in web["ports"]] == [80, 443]
    assert "169.254.0.0/16" in web["to"][0]["ipBlock"]["except"]


def test_rights_are_those_of_a_private_cluster() -> None:
    def rules(objects: Objects) -> list[Any]:
        return [(found["metadata"]["name"], found["rules"]) for found in objects if found["kind"] == "Role"]

    assert rules(rendered(PUBLIC)) == rules(rendered({**PUBLIC, "public": {"enabled": False}}))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("continuousDeployment.enabled", True, "a public cluster has runs and nothing else"),
        ("auth.mode", "none", "needs a login and limits: set auth.mode"),
        ("public.contact", "", "set public.operator (who runs it) and public.contact"),
        ("public.contact", "the lab", "contact"),
        ("publicUrl", f"http://{HOST}", "https://"),
        ("pool.workers.mode", "persistent", "pool.workers.mode: must be ephemeral"),
        ("pool.networkPolicy.enabled", False, "needs networkPolicy.enabled and pool.networkPolicy.enabled"),
        ("pool.workers.ports", [443, 25], "pool.workers.ports: has 25; with public.enabled workers reach 80 and 443"),
        ("pool.workers.ports", [], "pool.workers.ports: has all"),
        ("pool.workers.exceptAddresses", ["10.0.0.0/8"], "pool.workers.exceptAddresses: lacks 100.64.0.0/10"),
        ("pool.workers.runtimeClassName", None, "pool.workers.runtimeClassName: is not set"),
        ("pool.resources.limits", {"memory": "2Gi", "cpu": 1}, "pool.resources.limits: lacks ephemeral-storage"),
        ("runs.quota", {}, "runs.quota: is not set"),
    ],
)
def test_what_would_let_strangers_do_harm_is_refused(path: str, value: object, said: str) -> None:
    done = asked("template", with_value(path, value))
    assert done.returncode != 0, done.stdout
    assert said in done.stderr


def test_a_shared_kernel_has_to_be_said() -> None:
    values = with_value("pool.workers.runtimeClassName", None)
    assert rendered({**values, "public": {**PUBLIC["public"], "sharedKernel": True}})
