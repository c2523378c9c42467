"""From a push to rows in a PostgreSQL pod, with dppctl's servers in the cluster; and what goes wrong."""

import json
import os
from collections.abc import Iterator

import pytest
import yaml

from bot.store.tables import Deployment
from tests.support.cluster import CODE, SECONDS, TO_SQL, ClusterImages, selected
from tests.support.forge import CONFIG
from tests.support.needs import require
from tests.support.stories.card import Card, dealt
from tests.support.waiting import eventually

SLOW = CODE.replace("parameters, package", "import time; time.sleep(15); parameters, package", 1)
BROKEN = CODE.replace("spew(package,", "raise ValueError('the budget does not add up')\nspew(package,")


@pytest.fixture(scope="module")
def card(cluster_images: ClusterImages, dppctl_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    host = os.environ.get("DPPCTL_TEST_CLUSTER_HOST")
    require(host, "DPPCTL_TEST_CLUSTER_HOST, this machine's address as the cluster's pods reach it")
    folder = tmp_path_factory.mktemp("card")
    with dealt(cluster_images, dppctl_image, folder / "work", str(host)) as card:
        yield card


@pytest.fixture(scope="module")
def base(cluster_images: ClusterImages) -> str:
    """An image with dpp, in the cluster's registry."""
    return cluster_images.push(cluster_images.images.dpp, "dpp")


def app(base: str, code: str, note: str = "") -> dict[str, str]:
    spec = {"load": {"pipeline": [{"run": "rows", "code": code}, TO_SQL]}}
    return {
        "pipeline-spec.yaml": json.dumps(spec),
        ".dppctl.yaml": CONFIG,
        "Dockerfile": f"FROM {base}\nWORKDIR /app\nCOPY --chown=1000:1000 . .\nUSER 1000:1000\n",
        "note.txt": note,
    }


def image(card: Card, environment: str) -> str:
    return str(yaml.safe_load(card.values(environment))["image"])


def test_the_whole_card(card: Card, base: str) -> None:
    """One story, because each part needs the one before."""
    # A push: built, committed, deployed by the sync in the cluster, run, and told what came out.
    commit = card.push(app(base, CODE))
    done = card.ended("staging", commit)
    assert (done.state, done.error) == ("succeeded", None)
    assert done.receipt
    assert done.receipt["pipelines"][0]["rows"] == 5
    assert done.receipt["image"] == image(card, "staging")
    assert card.rows("staging", "numbers") == ["0", "1", "2", "3", "4"]
    assert "building" in {event.phase for event in done.events}

    # A tag on what staging ran: the same digest in production, and no build.
    card.tag("v1.0.0")
    shipped = card.ended("production", commit)
    assert (shipped.state, image(card, "production")) == ("succeeded", image(card, "staging"))
    assert "building" not in {event.phase for event in shipped.events}
    assert card.rows("production", "numbers") == ["0", "1", "2", "3", "4"]

    # A pipeline that fails: helm goes back, and the deployment says why.
    good = image(card, "staging")
    broken = card.push(app(base, BROKEN))
    failed = card.ended("staging", broken)
    assert failed.state == "failed"
    assert "the budget does not add up" in (failed.error or "")
    assert "STEP" in card.store.deployments.log(failed.id)  # of the build
    place, release = card.places["staging"], card.release("staging")
    manifest = place.helm("get", "manifest", release)
    assert good in manifest.stdout
    assert card.rows("staging", "numbers") == ["0", "1", "2", "3", "4"]

    # Sync is killed while the Job runs: the next one goes on with it, and it is not run twice.
    slow = card.push(app(base, SLOW))
    eventually(lambda: _runs(card.newest("staging"), slow), "the Job runs", SECONDS)
    card.servers.kubectl("delete", "pod", "--selector=app.kubernetes.io/component=sync", "--grace-period=0", "--force")
    after = card.ended("staging", slow)
    assert after.state == "succeeded", after.error
    jobs = place.get("jobs", selected(release, "job"))
    digest = image(card, "staging").partition("sha256:")[2][:12]
    assert [job["status"].get("succeeded") for job in jobs if digest in job["metadata"]["name"]] == [1]

    # Values that helm refuses hold up this environment only, with helm's own words.
    card.ops.pull()
    file = card.ops.work / "environments" / "production" / "values.yaml"
    kept = file.read_text()
    file.write_text(kept.replace('"worker"', '"wroker"'))
    card.ops.push_all()
    refused = eventually(lambda: _failed(card.newest("production")), "helm's refusal is told", SECONDS)
    assert "wroker" in str(refused.error)
    again = card.push(app(base, CODE, "once more"))
    assert card.ended("staging", again).state == "succeeded"


def _failed(deployment: Deployment | None) -> Deployment | None:
    return deployment if deployment and deployment.state == "failed" else None


def _runs(deployment: Deployment | None, commit: str) -> bool:
    return deployment is not None and (deployment.commit, deployment.state) == (commit, "running")
