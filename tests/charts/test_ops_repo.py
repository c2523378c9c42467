"""A new ops repo: it deploys by plain helm, and Argo CD's and Flux's own types take its manifests."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cli.init.ops_repo_template import OpsEnvironment, write_ops_repo
from tests.support.charts.apps import APP, bot_values
from tests.support.charts.gitops_types import check_types
from tests.support.charts.rendering import CHART, of_kind, run_helm
from tests.support.environment import REPOSITORY
from tests.support.helm import kubectl
from tests.support.schemas import VERSIONS, validate

URL = "https://github.com/ann/ops"
STAGING = OpsEnvironment("staging", "data-staging", "app-123456")
PRODUCTION = OpsEnvironment("production", "data-production", "app-654321")
TRIAL = OpsEnvironment("trial", "trials", "app-abcdef")


@pytest.fixture
def ops_repo(tmp_path: Path) -> Path:
    """One at the path `data`, with what the bot writes."""
    folder = tmp_path / "repository" / "data"
    write_ops_repo(folder, [STAGING, PRODUCTION, TRIAL], url=URL, path="data")
    for one in (STAGING, PRODUCTION, TRIAL):
        (folder / "environments" / one.name / "values.auto-updated.yaml").write_text(APP.to_yaml())
    return folder


def documents(file: Path) -> list[Any]:
    return [one for one in YAML(typ="safe").load_all(file) if one]


def test_the_repositorys_own_template_has_the_chart_as_a_link() -> None:
    template = REPOSITORY / "ops_repo_template"
    assert (template / "chart").is_symlink()
    assert (template / "chart").resolve() == CHART
    assert {one.name for one in (template / "environments").iterdir()} == {"staging", "production"}


def test_a_written_one_has_the_chart_as_files(ops_repo: Path) -> None:
    def tree(folder: Path) -> dict[str, str]:
        found = [one for one in folder.rglob("*") if one.is_file() and one.name != "__pycache__"]
        return {str(one.relative_to(folder)): one.read_text() for one in found if "__pycache__" not in one.parts}

    assert not [one for one in ops_repo.rglob("*") if one.is_symlink() or one.name == "__init__.py"]
    assert tree(ops_repo / "chart") == tree(CHART)
    assert ".helmignore" in tree(ops_repo / "chart")


def test_what_is_there_stays(tmp_path: Path) -> None:
    own = tmp_path / "environments" / "staging" / "values.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("database:\n  enabled: false\n")
    assert own not in write_ops_repo(tmp_path, [STAGING], url=URL)
    assert own.read_text() == "database:\n  enabled: false\n"
    assert write_ops_repo(tmp_path, [STAGING], url=URL) == []


def test_no_word_of_the_template_is_left(ops_repo: Path) -> None:
    files = [one for one in ops_repo.rglob("*") if one.is_file() and "chart" not in one.relative_to(ops_repo).parts]
    for file in files:
        if file.name != "README.md":
            assert not re.search(
                r"\b(ENVIRONMENTS?|NAMESPACE|RELEASE|REPOSITORY_URL|BRANCH|FOLDER)\b", file.read_text()
            )
    readme = (ops_repo / "README.md").read_text()
    assert "| `trial` | `trials` | `app-abcdef` |" in readme
    assert "# What trial needs." in (ops_repo / "environments" / "trial" / "values.yaml").read_text()


@pytest.mark.parametrize("major", [4, 3])
@pytest.mark.needs("helm")
def test_every_environment_deploys_by_plain_helm(ops_repo: Path, major: int) -> None:
    for one in (STAGING, PRODUCTION, TRIAL):
        folder = ops_repo / "environments" / one.name
        values = ["--values", folder / "values.yaml", "--values", folder / "values.auto-updated.yaml"]
        linted = run_helm("lint", ops_repo / "chart", "--strict", *values, major=major)
        assert linted.returncode == 0, linted.stdout + linted.stderr
        done = run_helm("template", one.release, ops_repo / "chart", "--namespace", one.namespace, *values, major=major)
        assert done.returncode == 0, done.stderr
        objects = [found for found in YAML(typ="safe").load_all(done.stdout) if found]
        validate(objects, VERSIONS if one is PRODUCTION and major == 4 else VERSIONS[-1:])
        assert len(of_kind(objects, "CronJob")) == (one is PRODUCTION)


def test_the_bots_values_are_as_the_tests_of_the_chart_have_them() -> None:
    assert YAML(typ="safe").load(APP.to_yaml()) == bot_values()


@pytest.mark.needs("npm")
def test_argo_cd_and_flux_take_the_manifests(ops_repo: Path) -> None:
    files = [*ops_repo.glob("argocd/*.yaml"), *ops_repo.glob("flux/*.yaml"), *ops_repo.glob("flux/*/release.yaml")]
    found = [one for file in files for one in documents(file)]
    kinds = {one["kind"] for one in found}
    assert kinds >= {"Application", "GitRepository", "HelmRelease", "Kustomization", "Provider", "Alert"}
    check_types([one for one in found if one["kind"] != "ConfigMap"])
    validate(of_kind(found, "ConfigMap"), VERSIONS[-1:])


@pytest.mark.needs("npm")
def test_a_wrong_manifest_is_noticed(ops_repo: Path) -> None:
    (application,) = documents(ops_repo / "argocd" / "staging.yaml")
    application["spec"]["source"]["helm"]["valuesFiles"] = []
    (release,) = documents(ops_repo / "flux" / "staging" / "release.yaml")
    release["spec"]["driftDetection"]["modes"] = "enabled"
    with pytest.raises(AssertionError, match=r"(?s)valuesFiles.*modes"):
        check_types([application, release])


def test_argo_cd_reads_the_files_that_are_there(ops_repo: Path) -> None:
    for one in (STAGING, PRODUCTION, TRIAL):
        (application,) = documents(ops_repo / "argocd" / f"{one.name}.yaml")
        assert application["spec"]["destination"]["namespace"] == one.namespace
        source = application["spec"]["source"]
        assert (source["repoURL"], source["helm"]["releaseName"]) == (URL, one.release)
        chart = ops_repo.parent / source["path"]
        assert all((chart / file).is_file() for file in source["helm"]["valueFiles"])


def test_the_commit_statuses_name_the_environment_between_slashes(ops_repo: Path) -> None:
    """The bot matches them by that."""
    (notifications,) = documents(ops_repo / "argocd" / "notifications.yaml")
    data = {name: YAML(typ="safe").load(text) for name, text in notifications["data"].items()}
    for one in (STAGING, PRODUCTION, TRIAL):
        (application,) = documents(ops_repo / "argocd" / f"{one.name}.yaml")
        assert application["metadata"]["labels"]["dppctl.io/environment"] == one.name
        for annotation in application["metadata"]["annotations"]:
            trigger = annotation.removeprefix("notifications.argoproj.io/subscribe.").removesuffix(".github")
            (sent,) = data[f"trigger.{trigger}"][0]["send"]
            label = data[f"template.{sent}"]["github"]["status"]["label"].split("/")
            assert label[1] == '{{index .app.metadata.labels "dppctl.io'  # the name of the label has a slash too
            assert label[3] == "{{.app.metadata.name}}"
        (provider,) = of_kind(documents(ops_repo / "flux" / f"{one.name}.yaml"), "Provider")
        assert provider["spec"]["commitStatusExpr"] == f"'flux/{one.name}/{one.release}'"


@pytest.mark.needs("helm", "npm")
def test_kustomize_names_the_values_by_their_content(ops_repo: Path) -> None:
    """So that Flux waits for the HelmRelease that has the new values."""

    def built() -> tuple[str, Any]:
        command = [kubectl(), "kustomize", "--load-restrictor=LoadRestrictionsNone", ops_repo / "flux" / "staging"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        objects = list(YAML(typ="safe").load_all(done.stdout))
        (values,), (release,) = of_kind(objects, "ConfigMap"), of_kind(objects, "HelmRelease")
        assert values["metadata"]["namespace"] == release["metadata"]["namespace"] == STAGING.namespace
        name = values["metadata"]["name"]
        assert [one["name"] for one in release["spec"]["valuesFrom"]] == [name, name]
        assert [one["valuesKey"] for one in release["spec"]["valuesFrom"]] == sorted(values["data"], reverse=True)
        return name, release

    before, release = built()
    check_types([release])
    other = json.loads(json.dumps(bot_values(request=2)))
    (ops_repo / "environments" / "staging" / "values.auto-updated.yaml").write_text(json.dumps(other))
    assert built()[0] != before
