"""Previews on a cluster: each has a release of its own, and goes with all that it had."""

import pytest

from bot.model.decisions import Ref, Removal
from bot.model.registration import Target
from cluster.sync.helm.records import records
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import eventually
from tests.support.world import STAGING

PREVIEW, OTHER = STAGING.with_environment("preview-new-chart"), STAGING.with_environment("preview-other")


@pytest.fixture
def previews(cluster: Cluster) -> Cluster:
    cluster.namespaces["preview-*"] = cluster.namespaces["staging"].removesuffix("-s") + "-b"
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": cluster.namespaces["preview-*"]}})
    cluster.targets |= {STAGING.with_environment("preview-*")}
    cluster.start()
    return cluster


def unsay(cluster: Cluster, target: Target) -> None:
    """Commit as the bot that this is not to be there any more."""
    cluster.writer.refresh()
    cluster.writer.write([Removal(target, Ref("", ""), "its branch is gone")])


def base(cluster: Cluster) -> str:
    return f"/api/v1/namespaces/{cluster.namespaces['preview-*']}"


def claim(cluster: Cluster, name: str) -> None:
    """Make a volume claim and a Secret of a release, as its StatefulSet and its chart do."""
    place = cluster.sync.location(PREVIEW if name == "ours" else OTHER)
    meta = {"name": name, "labels": {"app.kubernetes.io/instance": place.release}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    cluster.api.create(f"{base(cluster)}/persistentvolumeclaims", {"metadata": meta, "spec": spec})
    cluster.api.create(f"{base(cluster)}/secrets", {"metadata": meta})


def is_deleted(cluster: Cluster, kind: str, name: str) -> bool:
    """Return whether it is gone, or waits for its finalizers alone: no kubelet or controller takes them off here."""
    found = cluster.api.get(f"{base(cluster)}/{kind}/{name}")
    return found is None or "deletionTimestamp" in found["metadata"]


def test_a_preview_goes_with_its_release_volumes_and_secrets(previews: Cluster) -> None:
    for target in (PREVIEW, OTHER):
        previews.say(pipelines=(), target=target)
    previews.sync.sync()
    assert previews.phases(PREVIEW) == ["started", "succeeded"]
    for name in ("ours", "theirs"):
        claim(previews, name)
    unsay(previews, PREVIEW)
    assert previews.sync.sync()
    place, other = (previews.sync.location(target) for target in (PREVIEW, OTHER))
    assert previews.release(PREVIEW) is None
    assert previews.release(OTHER) is not None
    assert set(records(previews.api, place.namespace)) == {other.release}
    assert is_deleted(previews, "persistentvolumeclaims", "ours")
    assert is_deleted(previews, "secrets", "ours")
    assert not is_deleted(previews, "persistentvolumeclaims", "theirs")
    assert not is_deleted(previews, "secrets", "theirs")
    previews.say(pipelines=(), target=PREVIEW)
    previews.sync.sync()
    assert previews.release(PREVIEW) is not None


def test_one_that_went_while_sync_was_away_goes_at_its_start(previews: Cluster) -> None:
    previews.say(pipelines=(), target=PREVIEW)
    previews.sync.sync()
    unsay(previews, PREVIEW)
    previews.start()
    assert previews.sync.sync()
    assert previews.release(PREVIEW) is None
    assert records(previews.api, previews.namespaces["preview-*"]) == {}


def test_another_environment_stays_where_nothing_is_pruned(previews: Cluster) -> None:
    previews.say(pipelines=())
    previews.sync.sync()
    unsay(previews, STAGING)
    previews.sync.sync()
    assert previews.release() is not None


def test_what_runs_there_is_stopped_first(previews: Cluster) -> None:
    previews.say(target=PREVIEW)
    with previews.running():
        previews.until("running", PREVIEW)
        unsay(previews, PREVIEW)
        previews.sync.wake()
        eventually(lambda: previews.release(PREVIEW) is None and previews.kept(PREVIEW) is None, "it is gone")
    # That its pod waits is told where it does not begin at once: here nobody has it begin.
    assert [phase for phase in previews.phases(PREVIEW) if phase != "queued"] == ["started", "superseded"]


def test_people_have_values_for_all_previews_in_one_file(previews: Cluster) -> None:
    previews.ops.pull()
    previews.ops.push({"environments/previews/values.yaml": "text: for all of them\n"})
    previews.say(pipelines=(), target=PREVIEW)
    previews.sync.sync()
    assert previews.text(PREVIEW) == "for all of them"
