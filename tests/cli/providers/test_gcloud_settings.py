"""What `dppctl init gcloud` is told and asks, which commands gcloud gets, and what becomes of what it says."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cli.errors import InputError
from cli.init.prompts import Questions
from cli.init.runs.chart import chart_folder
from cli.init.runs.flags import RunsFlags
from cli.init.runs.flow import runs_answers
from cli.providers.gcloud import GoogleCloud
from cli.providers.gcloud_cli import NotFoundError, refusal
from cli.providers.gcloud_settings import GcloudSettings
from cli.providers.gcloud_storage import PUBLISHER
from tests.support.helm import helm

HERE = {"gcloudProjectId": "dppctl", "gcloudZone": "us-central1-a"}
# A gcloud that is logged in, has no cluster, and writes down what it is asked.
RECORDER = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$*" in
config*) cat "$0.config";;
*describe*) echo 'ERROR: (gcloud.x.describe) ResponseError: code=404, message=Not found: x.' >&2; exit 1;;
esac
"""
LOGIN = """\
ERROR: (gcloud.container.clusters.describe) You do not currently have an active account selected.
Please run:

  $ gcloud auth login

to obtain new credentials.
"""
DISABLED = """\
ERROR: (gcloud.container.clusters.describe) ResponseError: code=403, message=Kubernetes Engine API has not been used \
in project 1234 before or it is disabled. Enable it by visiting \
https://console.developers.google.com/apis/api/container.googleapis.com/overview?project=1234 then retry.
"""
BILLING = """\
ERROR: (gcloud.storage.buckets.create) HTTPError 403: The billing account for the owning project is disabled in \
state absent
"""
FORBIDDEN = """\
ERROR: (gcloud.container.clusters.describe) ResponseError: code=403, message=Required "container.clusters.get" \
permission(s) for "projects/dppctl/locations/us-central1-a/clusters/dppctl".
"""
QUOTA = """\
WARNING: Starting with version 1.18, clusters will have shielded GKE nodes by default.
ERROR: (gcloud.container.clusters.create) ResponseError: code=403, message=Insufficient regional quota to satisfy \
request: resource "CPUS": request requires '6.0' and is short '2.0'.
"""
AWAY = "ERROR: gcloud crashed (ServerNotFoundError): Unable to find the server at container.googleapis.com\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (LOGIN, "nobody is logged in to Google Cloud; run: gcloud auth login"),
        (DISABLED, "; run: gcloud services enable container.googleapis.com --project dppctl"),
        (BILLING, "has no billing account; run: gcloud billing projects link dppctl --billing-account ACCOUNT"),
        (FORBIDDEN, "the project dppctl is not there or your account may not do that: gcloud projects list shows"),
        (QUOTA, "short '2.0'; take fewer or smaller nodes, another location, or ask for more: https://console.cloud"),
        (AWAY, "Google Cloud does not answer; try again later: gcloud crashed (ServerNotFoundError): Unable"),
        ("ERROR: (gcloud.x) Something new.\nSee more.", "gcloud container clusters: Something new"),
    ],
)
def test_what_gcloud_refuses_is_one_line_with_the_command_that_mends_it(said: str, words: str) -> None:
    line = str(refusal(said, ("container", "clusters", "--project=dppctl")))
    assert words in line
    assert "\n" not in line


def test_what_is_not_there_is_told_apart() -> None:
    said = "ERROR: (gcloud.iam.service-accounts.delete) NOT_FOUND: Unknown service account"
    assert isinstance(refusal(said, ()), NotFoundError)


def test_a_new_cluster_is_standard_with_autoscaling_or_one_of_autopilot() -> None:
    standard = GcloudSettings({**HERE, "gcloudMaxNodes": "5"}).creation()
    assert standard[:3] == ["container", "clusters", "create"]
    assert {"--async", "--enable-autoscaling", "--max-nodes=5", "--workload-pool=dppctl.svc.id.goog"} < set(standard)
    given = {"gcloudProjectId": "dppctl", "gcloudLocation": "europe-west1", "gcloudMode": "autopilot"}
    autopilot = GcloudSettings(given)
    assert autopilot.creation() == [
        *("container", "clusters", "create-auto", "dppctl"),
        *("--location=europe-west1", "--labels=made-by=dppctl-init", "--async"),
    ]
    assert "Autopilot bills what the pods ask for, those that wait too" in autopilot.cost()
    assert "https://cloud.google.com/kubernetes-engine/pricing" in autopilot.cost()
    assert (
        "up to 3 nodes e2-standard-2 in each zone of the region" in GcloudSettings({**given, "gcloudMode": ""}).cost()
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"gcloudLocation": "europe-west1"}, "gcloudZone us-central1-a and gcloudLocation europe-west1 are two places"),
        (
            {"gcloudMode": "autopilot"},
            "us-central1-a is a zone, and an Autopilot cluster takes a region, such as us-central1",
        ),
        ({"gcloudMode": "magic"}, "gcloudMode 'magic': standard or autopilot"),
        ({"gcloudZone": "here"}, "gcloudLocation 'here': a zone or a region, such as us-central1-a"),
        ({"gcloudProjectId": "--x"}, "gcloudProjectId '--x': the ID of a project"),
        ({"gcloudClusterName": "A"}, "gcloudClusterName 'A': small letters, digits and -, at most 40"),
        ({"gcloudMaxNodes": "0"}, "gcloudMaxNodes '0': a number from 1 on"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_asked(changed: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        GcloudSettings(HERE | changed).complete()


@pytest.mark.needs("helm")
def test_the_chart_publishes_into_the_bucket_as_the_account_without_a_key(recorder: Path, tmp_path: Path) -> None:
    assert recorder
    gcloud = GoogleCloud(HERE)
    answers = runs_answers("gcloud", gcloud, RunsFlags(*[None] * 9), dry_run=True)
    values = tmp_path / "values.json"
    values.write_text(json.dumps(replace(answers, provider_values=gcloud.runs_values()).values()))
    with chart_folder() as chart:
        command = [str(helm()), "template", "dppctl-runs", str(chart), "--namespace", "dppctl", "--values", str(values)]
        objects = [found for found in yaml.safe_load_all(subprocess.check_output(command)) if found]
    by_name = {(found["kind"], found["metadata"]["name"]): found for found in objects}
    email = "publisher-dppctl@dppctl.iam.gserviceaccount.com"
    account = by_name["ServiceAccount", PUBLISHER]
    assert account["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": email}
    pod = by_name["Deployment", PUBLISHER]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == PUBLISHER
    (rclone,) = [found for found in pod["containers"] if found["name"] == "rclone"]
    given = {each["name"]: each["value"] for each in rclone["env"]}
    assert given["RCLONE_CONFIG_STORAGE_TYPE"] == "google cloud storage"
    assert given["RCLONE_CONFIG_STORAGE_ENV_AUTH"] == "true"
    assert "envFrom" not in rclone


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "gcloud"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    program.with_name("gke-gcloud-auth-plugin").symlink_to("gcloud")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def test_what_is_left_out_is_gclouds_own_configuration(recorder: Path) -> None:
    configured = {"core": {"project": "knesset-data"}, "compute": {"region": "me-west1", "zone": "me-west1-b"}}
    recorder.with_name("gcloud.config").write_text(json.dumps(configured))
    gcloud = GoogleCloud({})
    assert gcloud.state().phase == "missing"
    assert gcloud.settings()["gcloudProjectId"] == "knesset-data"
    assert gcloud.settings()["gcloudLocation"] == "me-west1-b"
    assert gcloud.start(dry_run=True) == "make the GKE cluster dppctl (standard) in me-west1-b"
    assert recorder.with_name("gcloud.calls").read_text().splitlines() == [
        "config list --format=json --quiet",
        "container clusters describe dppctl --location=me-west1-b --format=json --project=knesset-data --quiet",
    ]


def test_what_nobody_says_is_asked_or_refused(recorder: Path) -> None:
    recorder.with_name("gcloud.config").write_text("{}")
    with pytest.raises(InputError, match="Google Cloud project ID: nobody is asked with --yes; give --gcloud-project"):
        GoogleCloud({}).ask(Questions(yes=True))
    with pytest.raises(
        InputError, match="neither gcloudLocation nor gcloud's configuration says it; give --gcloud-loc"
    ):
        GoogleCloud({"gcloudProjectId": "dppctl"}).state()


def test_programs_that_are_not_there_are_said_with_how_to_get_them(
    recorder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.with_name("gke-gcloud-auth-plugin").unlink()
    monkeypatch.setenv("PATH", str(recorder.parent))
    with pytest.raises(InputError, match="how to get it: gcloud components install gke-gcloud-auth-plugin"):
        GoogleCloud(HERE).state()
    recorder.unlink()
    with pytest.raises(InputError, match="gcloud is not on the PATH; how to get it: https://cloud"):
        GoogleCloud(HERE).state()
