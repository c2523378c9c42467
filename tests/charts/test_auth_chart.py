"""What `auth.mode` adds to the chart `dppctl`: who people are, for proxy and pages, on one host."""

from pathlib import Path
from typing import Any

import pytest

from bot.settings import load_settings
from bot.settings.variables import variables
from cli.servers.auth_server import auth_options
from cluster.auth.admission import Lists
from tests.support.charts.dppctl import ALL, RUNS, SYNC, Objects, asked, environment, named, pods, rendered

pytestmark = pytest.mark.needs("helm")

TOKEN: dict[str, Any] = {**RUNS, "publicUrl": "https://dppctl.example.org", "auth": {"mode": "token"}}
OAUTH: dict[str, Any] = {
    "publicUrl": "https://dppctl.example.org",
    "auth": {"mode": "oauth", "github": {"clientId": "a"}, "admins": ["OriHoch"]},
}


def keys_of(pod: dict[str, Any]) -> set[str]:
    """The keys of Secrets that a pod has as files."""
    return {item["key"] for volume in pod["volumes"] if "secret" in volume for item in volume["secret"]["items"]}


def paths(objects: Objects) -> dict[tuple[str, str], str]:
    """Which Service is behind each host and path."""
    return {
        (rule["host"], path["path"]): path["backend"]["service"]["name"]
        for found in objects
        if found["kind"] == "Ingress"
        for rule in found["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def test_without_a_mode_nothing_is_different() -> None:
    objects = rendered({**SYNC, **RUNS, "continuousDeployment": {"enabled": True}})
    assert "auth" not in {found["metadata"]["labels"]["app.kubernetes.io/component"] for found in objects}
    for name in ("dppctl-proxy", "dppctl-webhooks"):
        assert "DPPCTL_AUTH_URL" not in environment(pods(objects)[name])


def test_proxy_and_receiver_ask_it_and_it_alone_has_the_key_and_the_tokens() -> None:
    found = pods(rendered(ALL))
    for name in ("dppctl-proxy", "dppctl-webhooks"):
        given = environment(found[name])
        assert (given["DPPCTL_AUTH_MODE"], given["DPPCTL_AUTH_URL"]) == ("oauth", "http://dppctl-auth")
        assert given["DPPCTL_AUTH_SERVICE_TOKEN_FILE"] == "/etc/dppctl-auth/auth-service-token"
        assert given["DPPCTL_PUBLIC_URL"] == "https://dppctl.example.org"
        assert "auth-key" not in keys_of(found[name])
    assert "DPPCTL_PROXY_TOKENS_FILE" not in environment(found["dppctl-proxy"])
    assert environment(found["dppctl-webhooks"])["DPPCTL_PAGES"] == "open"
    auth = found["dppctl-auth"]
    assert keys_of(auth) == {"auth-service-token", "auth-key", "tokens.json"}
    given = environment(auth)
    assert given["DPPCTL_AUTH_LISTEN"] == f"0.0.0.0:{auth['containers'][0]['ports'][0]['containerPort']}"
    assert (given["DPPCTL_AUTH_ADMINS"], given["DPPCTL_AUTH_ORGANIZATIONS"]) == ("github:583231", "hasadna")
    assert given["DPPCTL_AUTH_OIDC_METADATA_URL"] == "https://dex.example.org/dex"
    for provider in ("GITHUB", "GOOGLE", "OIDC"):
        key = f"auth-{provider.lower()}-client-secret"
        reference = {"secretKeyRef": {"name": "dppctl", "key": key}}
        assert given[f"DPPCTL_AUTH_{provider}_CLIENT_SECRET"] == reference
    assert {variable for variable in given if variable.startswith("DPPCTL_")} <= variables()


def test_the_auth_server_is_made_with_what_the_values_say(tmp_path: Path) -> None:
    given = environment(pods(rendered(ALL))["dppctl-auth"])
    (tmp_path / "key").write_text("a key")
    (tmp_path / "tokens.json").write_text("[]")
    files = {
        name: str(tmp_path / ("tokens.json" if name == "DPPCTL_PROXY_TOKENS_FILE" else "key"))
        for name in given
        if name.endswith("_FILE")
    }
    values = {name: value if isinstance(value, str) else "hush" for name, value in given.items()}
    options = auth_options(load_settings(tmp_path, {**values, **files, "DPPCTL_GITHUB_CA": ""}, receives=False))
    assert (options.mode, options.public_url) == ("oauth", "https://dppctl.example.org")
    assert [each.name for each in options.providers] == ["github", "google", "oidc"]
    assert options.lists == Lists(admins=("github:583231",), organizations=("hasadna",))


def test_it_has_no_rights_and_keeps_its_database_on_a_volume_or_elsewhere() -> None:
    objects = rendered(TOKEN)
    assert pods(objects)["dppctl-auth"]["automountServiceAccountToken"] is False
    accounts = [subject["name"] for found in objects for subject in found.get("subjects", [])]
    assert "dppctl-auth" not in accounts
    assert named(objects, "Deployment", "dppctl-auth")["spec"]["strategy"] == {"type": "Recreate"}
    assert named(objects, "PersistentVolumeClaim", "dppctl-auth")["spec"]["accessModes"] == ["ReadWriteOnce"]
    elsewhere = rendered({**TOKEN, "auth": {"mode": "token", "database": {"existingSecret": "pg"}}})
    url = environment(pods(elsewhere)["dppctl-auth"])["DPPCTL_AUTH_DATABASE_URL"]
    assert url == {"secretKeyRef": {"name": "pg", "key": "url"}}
    assert not [found for found in elsewhere if found["metadata"]["name"] == "dppctl-auth" and "Claim" in found["kind"]]


def test_pages_auth_and_proxy_are_paths_of_one_host() -> None:
    host = "dppctl.example.org"
    assert paths(rendered({**ALL, "ingress": {**ALL["ingress"], "paths": ["/"]}})) == {
        (host, "/"): "dppctl-webhooks", (host, "/v1"): "dppctl-proxy", (host, "/auth"): "dppctl-auth",
        ("data.example.net", "/"): "dppctl-storage",
    }  # fmt: skip
    assert named(rendered(ALL), "Ingress", "dppctl-auth")["spec"]["tls"] == [{"hosts": [host], "secretName": "tls"}]
    alone = {"enabled": True, "proxy": {"ingress": {"enabled": True, "host": "runs.example.org"}}}
    assert (
        paths(rendered({**TOKEN, "publicUrl": "https://runs.example.org", "runs": alone}))["runs.example.org", "/auth"]
        == "dppctl-auth"
    )
    assert paths(rendered({**TOKEN, "runs": {"enabled": True}})) == {}


def test_only_servers_reach_it_where_no_ingress_leads_to_it() -> None:
    def rules(values: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = named(rendered(values), "NetworkPolicy", "dppctl-auth")["spec"]["ingress"]
        return found

    (servers,) = rules({**TOKEN, "runs": {"enabled": True}})
    chosen = [each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in servers["from"]]
    assert chosen == ["webhooks", "proxy", "usage", "test"]  # the last: of `helm test`
    assert "from" not in rules(ALL)[1]
    out = named(rendered(ALL), "NetworkPolicy", "dppctl-webhooks")["spec"]["egress"]
    chosen = [peer["podSelector"]["matchLabels"] for rule in out for peer in rule.get("to", [])]
    assert "auth" in [labels["app.kubernetes.io/component"] for labels in chosen]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**OAUTH, "auth": {"mode": "oauth"}}, "auth.mode: is oauth, which needs auth.github.clientId, "),
        ({**OAUTH, "publicUrl": "http://a.example"}, "publicUrl: must be https://HOST with auth.mode oauth"),
        ({**OAUTH, "auth": {**OAUTH["auth"], "admins": []}}, "auth.mode: is oauth, and nobody would get in"),
        ({**OAUTH, "auth": {**OAUTH["auth"], "oidc": {"clientId": "a"}}}, "auth.oidc.metadataUrl: is not set"),
        (
            {**ALL, "ingress": {**ALL["ingress"], "host": "a.example"}},
            "runs.proxy.ingress.host: is dppctl.example.org, and ingress.host is a.example",
        ),
        (
            {"auth": {"mode": "token"}, "ingress": {"enabled": True}},
            "publicUrl: is not set, and the Ingress is for dppctl.",
        ),
        ({**OAUTH, "ingress": {"enabled": True, "host": "b.example"}}, "it must be https://b.example"),
        ({"auth": {"mode": "password"}}, "mode"),
        ({"auth": {"mode": "token", "admins": ["a b"]}}, "admins"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(values: dict[str, Any], said: str) -> None:
    done = asked("template", values)
    assert done.returncode != 0
    assert said in done.stderr
