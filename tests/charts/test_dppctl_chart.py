"""The chart `dppctl`, rendered by real helm: valid for many versions of Kubernetes, and with few rights."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.images.service import builder_options
from bot.model.registration import parse_registration
from bot.settings import load_settings
from bot.settings.variables import variables
from cli.init.steps.deploy_key import new_key, to_setting
from cli.limits import BOT_STOP_SECONDS, RECEIVER_STOP_SECONDS, SYNC_STOP_SECONDS
from tests.support.charts.chart_values import documented, known, leaves, table
from tests.support.charts.dppctl import ALL, APPS, CHART, RUNS, SYNC, asked, environment, named, pods, rendered
from tests.support.schemas import VERSIONS, validate

pytestmark = pytest.mark.needs("helm")

ELSEWHERE: dict[str, Any] = {
    "deployedBy": "commit-status",
    "sync": {"environments": {"staging": "data"}},
    "database": {"existingSecret": "database"},
    "github": {"appId": "7"},
    "bot": {"persistence": {"enabled": False}},
    "networkPolicy": {"enabled": False},
}
CASES = {"as it is": {}, "with sync": SYNC, "with all": ALL, "with Argo CD": ELSEWHERE, "runs alone": RUNS}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("major", [3, 4])
def test_helm_finds_nothing_wrong(case: str, major: int) -> None:
    done = asked("lint", CASES[case], major)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("case", CASES)
def test_objects_are_as_every_kubernetes_from_1_25_on_has_them(case: str) -> None:
    """Ask the versions between the oldest and the newest about the case that has everything on."""
    # ServiceMonitor's schema is the Prometheus operator's.
    objects = [one for one in rendered(CASES[case]) if one["kind"] != "ServiceMonitor"]
    validate(objects, VERSIONS if case == "with all" else (VERSIONS[0], VERSIONS[-1]))


def test_helm_3_renders_the_same() -> None:
    assert rendered(ALL, 3) == rendered(ALL, 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"webhook": {}}, "webhook"),
        ({"sync": {"enviroments": {}}}, "enviroments"),
        ({"sync": {"environments": {"Staging": "data"}}}, "Staging"),
        ({"sync": {"drift": "always"}}, "drift"),
        ({"builder": "docker"}, "builder"),
        ({"apps": [{"appRepoPath": "ann"}]}, "appRepoPath"),
        ({"apps": [{**APPS[0], "environment": "staging"}]}, "environment"),
        ({"github": {"url": "https://ann:secret@example.org"}}, None),
        ({"github": {"hostKeys": ["AAAA"]}}, "hostKeys"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"existingSecret": ""}, "existingSecret"),
        ({**RUNS, "runs": {"enable": True}}, "enable"),
        ({**RUNS, "pool": {"workers": {"mode": "always"}}}, "mode"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], said: str | None) -> None:
    for command in ("lint", "template"):
        done = asked(command, values)
        assert done.returncode != 0, done.stdout
        assert not said or said in done.stdout + done.stderr


def test_values_schema_and_readme_agree() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = [value.path for value in documented(CHART)]
    for path in leaves(defaults):
        assert known(schema, path), f"values.schema.json lacks {path}"
        assert any(path[: len(row)] == row for row in rows), f"values.yaml: {path} has no comment `# -- …`"
    assert set(schema["properties"]) == {*defaults, "global"}
    assert table(CHART) in (CHART / "README.md").read_text(), table(CHART)


def test_whoever_asks_github_has_the_authority_of_githubs_certificate() -> None:
    found = pods(rendered(ALL))
    for name in ("dppctl-bot", "dppctl-sync", "dppctl-auth"):
        mounts = {mount["name"]: mount["mountPath"] for mount in found[name]["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in found[name]["volumes"]}
        assert environment(found[name])["DPPCTL_GITHUB_CA"] == f"{mounts['github-ca']}/ca.crt"
        assert volumes["github-ca"]["configMap"] == {"name": "github-ca"}


def test_the_servers_know_every_variable_that_is_set(tmp_path: Path) -> None:
    """sync's own are read by `dppctl sync`."""
    found = pods(rendered(ALL))
    for name in ("dppctl-webhooks", "dppctl-bot"):
        given = environment(found[name])
        assert {variable for variable in given if variable.startswith("DPPCTL_")} <= variables(), name
        values = {variable: value if isinstance(value, str) else "a-secret" for variable, value in given.items()}
        if "DPPCTL_DEPLOY_KEYS" in values:
            values["DPPCTL_DEPLOY_KEYS"] = to_setting({"ann/ops": new_key()})
        settings = load_settings(
            tmp_path,
            {
                **values,
                "DPPCTL_REGISTRY_CA": __file__,
                "DPPCTL_GITHUB_CA": "",
                "DPPCTL_AUTH_SERVICE_TOKEN_FILE": __file__,
            },
            receives=name == "dppctl-webhooks",
        )
        assert (settings.listen.host, settings.listen.port) == ("0.0.0.0", 8080)
    options = builder_options(settings)
    assert (options.cluster.namespace, options.cluster.disk) == ("dppctl-builds", "20Gi")
    assert environment(found["dppctl-bot"])["DPPCTL_PLAIN_HTTP_REGISTRIES"] == "a:5000,b:5000"
    sync = environment(found["dppctl-sync"])
    assert sync["DPPCTL_SYNC_ENVIRONMENTS"] == "production=data,staging=data-staging"
    assert sync["DPPCTL_RECEIVER_URL"] == "http://dppctl-webhooks"
    assert environment(found["dppctl-bot"])["DPPCTL_SYNC_URL"] == "http://dppctl-sync"
    assert settings.github.repository_url("ann/ops") == "ssh://git@ssh.github.com:443/ann/ops.git"


def test_git_takes_a_token_or_an_app_or_deploy_keys() -> None:
    def keys(values: dict[str, Any]) -> dict[str, bool]:
        """Of the Secret, and whether the pod can do without."""
        every = pods(rendered(values))["dppctl-bot"]["containers"][0]["env"]
        found = [one["valueFrom"]["secretKeyRef"] for one in every if "valueFrom" in one]
        of_git = ("github-token", "github-app-key", "deploy-keys")
        return {one["key"]: one.get("optional", False) for one in found if one["key"] in of_git}

    assert keys(SYNC) == {"github-token": False}
    assert keys({**SYNC, "github": {"appId": 7}}) == {"github-app-key": False}
    assert keys(ALL) == {"github-token": True, "deploy-keys": False}


def test_apps_are_what_the_servers_read() -> None:
    text = named(rendered(SYNC), "ConfigMap", "dppctl-apps")["data"]["apps.yaml"]
    targets = parse_registration(text, "apps.yaml")
    assert sorted(one.environment for one in targets) == ["production", "staging"]
    parse_registration(named(rendered({}), "ConfigMap", "dppctl-apps")["data"]["apps.yaml"], "apps.yaml")


@pytest.mark.parametrize("case", CASES)
def test_every_pod_is_restricted(case: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    for name, pod in pods(rendered(CASES[case])).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} == set(container["resources"])


def test_only_those_that_talk_to_kubernetes_have_a_token() -> None:
    def with_token(values: dict[str, Any]) -> set[str]:
        return {name for name, pod in pods(rendered(values)).items() if pod["automountServiceAccountToken"]}

    assert with_token({}) == set()
    assert with_token(SYNC) == {"dppctl-sync"}
    assert with_token(ALL) == {"dppctl-sync", "dppctl-bot", "dppctl-operator", "dppctl-proxy"}


def test_no_object_holds_a_secret_and_each_server_gets_only_its_own() -> None:
    objects = rendered(ALL)
    assert "Secret" not in {one["kind"] for one in objects}
    keys = {
        name: set(re.findall(r"'key': '([\w-]+)', 'name': 'dppctl'|'name': 'dppctl', 'key': '([\w-]+)'", str(pod)))
        for name, pod in pods(objects).items()
    }
    found = {name: {first or second for first, second in pairs} for name, pairs in keys.items()}
    assert found == {
        "dppctl-webhooks": {"sync-token", "webhook-secrets", "database-password"},
        "dppctl-bot": {"sync-token", "github-token", "deploy-keys", "database-password"},
        "dppctl-sync": {"sync-token", "github-token", "deploy-keys"},
        "dppctl-database": {"database-password"},
        "dppctl-test": set(),
        "dppctl-auth": {f"auth-{provider}-client-secret" for provider in ("github", "google", "oidc")},
        **{name: set() for name in ("dppctl-operator", "dppctl-proxy", "dppctl-workers", "dppctl-test-image")},
        **{name: set() for name in ("dppctl-publisher", "dppctl-storage")},
    }


def test_rights_end_at_the_namespaces_that_were_named() -> None:
    objects = rendered(ALL)
    assert not {one["kind"] for one in objects} & {"ClusterRole", "ClusterRoleBinding"}
    roles = {(one["metadata"]["name"], one["metadata"]["namespace"]) for one in objects if one["kind"] == "Role"}
    environments = {("dppctl-sync", "data-staging"), ("dppctl-sync", "data")}
    own = {(f"dppctl-{name}", "tools") for name in ("sync-lease", "operator", "proxy")}
    assert roles == {*environments, *own, ("dppctl-bot", "dppctl-builds")}
    for one in objects:
        if one["kind"] == "Role":
            assert "*" not in str(one["rules"])
    assert not [one for one in rendered({}) if one["kind"] == "Role"]
    same = {**SYNC, "sync": {"environments": {"staging": "data", "production": "data"}}}
    assert len([one for one in rendered(same) if one["kind"] == "Role"]) == 2


def test_what_another_deploys_needs_no_sync() -> None:
    objects = rendered(ELSEWHERE)
    assert not [one for one in objects if "sync" in one["metadata"]["name"]]
    assert "DPPCTL_SYNC_URL" not in environment(pods(objects)["dppctl-bot"])
    assert environment(pods(objects)["dppctl-bot"])["DPPCTL_DEPLOYED_BY"] == "commit-status"
    assert "StatefulSet" not in {one["kind"] for one in objects}
    url = environment(pods(objects)["dppctl-webhooks"])["DPPCTL_DATABASE_URL"]
    assert url == {"secretKeyRef": {"name": "database", "key": "url"}}


def test_kubernetes_gives_each_server_the_time_that_it_takes_to_end() -> None:
    took = {"dppctl-sync": SYNC_STOP_SECONDS, "dppctl-bot": BOT_STOP_SECONDS, "dppctl-webhooks": RECEIVER_STOP_SECONDS}
    given = {name: pod["terminationGracePeriodSeconds"] for name, pod in pods(rendered(SYNC)).items() if name in took}
    assert given.keys() == took.keys()
    assert all(given[name] >= 1.5 * seconds for name, seconds in took.items()), given


def test_pods_start_anew_when_other_apps_are_registered() -> None:
    def annotations(values: dict[str, Any]) -> Any:
        return named(rendered(values), "Deployment", "dppctl-bot")["spec"]["template"]["metadata"]["annotations"]

    assert annotations(SYNC) != annotations({})


def test_selectors_find_their_pods_and_names_fit() -> None:
    for values in ({}, {"fullnameOverride": "d" * 60}, {"nameOverride": "servers"}):
        objects = rendered(values)
        workloads = [one for one in objects if one["kind"] in ("Deployment", "StatefulSet")]
        for one in objects:
            assert len(one["metadata"]["name"]) <= 63
            if one["kind"] == "Service":
                selector = one["spec"]["selector"].items()
                (found,) = [w for w in workloads if selector <= w["spec"]["template"]["metadata"]["labels"].items()]
                assert found["metadata"]["name"] == one["metadata"]["name"]


def test_the_image_is_named_by_its_digest_when_there_is_one() -> None:
    digest = "sha256:" + "a" * 64
    image = {"repository": "r.example/dppctl", "digest": digest, "tag": "1"}
    assert pods(rendered({"image": image}))["dppctl-bot"]["containers"][0]["image"] == f"r.example/dppctl@{digest}"
