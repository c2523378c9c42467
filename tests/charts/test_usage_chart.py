"""What `usage.enabled` adds to the chart `dppctl`: limits and a log of runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings.variables import variables
from cluster.usage.limits_file import read_limits_file
from tests.support.charts.dppctl import RUNS, environment, named, pods, rendered

pytestmark = pytest.mark.needs("helm")

LIMITS = {"default": {"runs": 4}, "users": {"github:583231": {"runs": None}}, "bans": [{"user": "a:b", "reason": "x"}]}
USAGE: dict[str, Any] = {**RUNS, "usage": {"enabled": True, "limits": LIMITS}}
LOGIN: dict[str, Any] = {"publicUrl": "https://runs.example.org", "auth": {"mode": "token"}}


def keys_of(pod: dict[str, Any]) -> set[str]:
    """The keys of Secrets that a pod has as files."""
    return {item["key"] for volume in pod["volumes"] if "secret" in volume for item in volume["secret"]["items"]}


def test_proxy_and_usage_server_know_each_other(tmp_path: Path) -> None:
    objects = rendered(USAGE)
    found = pods(objects)
    proxy, usage = environment(found["dppctl-proxy"]), environment(found["dppctl-usage"])
    assert proxy["DPPCTL_USAGE_URL"] == "http://dppctl-usage"
    assert usage["DPPCTL_PROXY_URL"] == "http://dppctl-proxy"
    assert usage["DPPCTL_USAGE_LISTEN"] == "0.0.0.0:8093"
    for given in (proxy, usage):
        assert given["DPPCTL_USAGE_TOKEN_FILE"] == "/etc/dppctl-usage/usage-token"
        assert given["DPPCTL_PROXY_SERVICE_TOKEN_FILE"] == "/etc/dppctl-usage/proxy-service-token"
        assert {name for name in given if name.startswith("DPPCTL_")} <= variables()
    assert keys_of(found["dppctl-usage"]) == {"usage-token", "proxy-service-token"}
    assert found["dppctl-usage"]["automountServiceAccountToken"] is False
    file = tmp_path / "limits.yaml"
    file.write_text(named(objects, "ConfigMap", "dppctl-usage")["data"]["limits.yaml"])
    assert yaml.safe_load(file.read_text()) == LIMITS
    assert read_limits_file(file).default.runs == 4
    for name in ("dppctl-proxy", "dppctl-usage"):
        assert named(objects, "PersistentVolumeClaim", name)
        strategy = named(objects, "Deployment", name)["spec"]["strategy"]
        assert strategy["type"] == "Recreate" or strategy["rollingUpdate"]["maxSurge"] == 0


def test_without_it_nothing_is_different_and_without_runs_it_is_refused() -> None:
    objects = rendered(RUNS)
    assert "dppctl-usage" not in pods(objects)
    assert "DPPCTL_USAGE_URL" not in environment(pods(objects)["dppctl-proxy"])
    with pytest.raises(AssertionError, match=r"usage\.enabled: is for runs; set runs\.enabled too"):
        rendered({"usage": {"enabled": True}, "continuousDeployment": {"enabled": True}})


def test_its_page_is_for_people_who_have_logged_in() -> None:
    ingress = {"proxy": {"ingress": {"enabled": True, "host": "runs.example.org"}}}
    open_to_people = {**USAGE, "runs": {**USAGE["runs"], **ingress}}
    names = [found["metadata"]["name"] for found in rendered(open_to_people) if found["kind"] == "Ingress"]
    assert names == ["dppctl-proxy"]
    objects = rendered({**open_to_people, **LOGIN})
    rule = named(objects, "Ingress", "dppctl-usage")["spec"]["rules"][0]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("runs.example.org", "/usage")
    assert environment(pods(objects)["dppctl-usage"])["DPPCTL_AUTH_URL"] == "http://dppctl-auth"
    allowed = named(rendered(USAGE), "NetworkPolicy", "dppctl-usage")["spec"]["ingress"]
    assert len(allowed) == 1
    assert len(named(objects, "NetworkPolicy", "dppctl-usage")["spec"]["ingress"]) == 2


def test_a_database_elsewhere_needs_no_volume() -> None:
    objects = rendered({**USAGE, "usage": {**USAGE["usage"], "database": {"existingSecret": "pg"}}})
    url = environment(pods(objects)["dppctl-usage"])["DPPCTL_USAGE_DATABASE_URL"]
    assert url == {"secretKeyRef": {"name": "pg", "key": "url"}}
    claims = [found["metadata"]["name"] for found in objects if found["kind"] == "PersistentVolumeClaim"]
    assert "dppctl-usage" not in claims


def test_the_receiver_tells_it_what_is_done_on_the_pages_and_has_no_key_of_the_proxy() -> None:
    objects = rendered({**USAGE, "continuousDeployment": {"enabled": True}})
    webhooks = pods(objects)["dppctl-webhooks"]
    given = environment(webhooks)
    assert given["DPPCTL_USAGE_URL"] == "http://dppctl-usage"
    assert given["DPPCTL_USAGE_TOKEN_FILE"] == "/etc/dppctl-usage/usage-token"
    assert keys_of(webhooks) == {"usage-token"}
