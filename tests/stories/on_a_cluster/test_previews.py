"""On a real cluster a branch's preview has a release of its own, whose pipelines run; all goes with the branch."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.model.decisions import Ref, Removal
from tests.support.charts.rendering import CHART
from tests.support.cluster import POLL, SECONDS, TO_SQL, ClusterImages, Namespace
from tests.support.stories.helm_cluster import Cluster
from tests.support.stories.pipelines_release import app
from tests.support.waiting import eventually
from tests.support.world import STAGING

PATTERN, PREVIEW = STAGING.with_environment("preview-*"), STAGING.with_environment("preview-new-chart")


@pytest.fixture
def previews(namespace: Namespace, tmp_path: Path) -> Iterator[Cluster]:
    """Sync with helm, whose previews are in the namespace."""
    chart = {f"chart/{path.relative_to(CHART)}": path.read_text() for path in CHART.rglob("*") if path.is_file()}
    options: dict[str, Any] = {"namespaces": {"preview-*": namespace.name}, "chart": chart, "seconds": SECONDS}
    with closing(Cluster(tmp_path / "cluster", os.environ["KUBECONFIG"], **options)) as made:
        made.targets = frozenset({PATTERN})
        made.start(helm_seconds=SECONDS)
        yield made


def test_a_preview_runs_in_a_release_of_its_own_and_goes_with_its_branch(
    previews: Cluster, namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    release = previews.sync.location(PREVIEW).release
    namespace.database_volume(release, cluster_images.python)
    claim = f"data-{release}-database-0"
    namespace.kubectl("label", "pvc", claim, f"app.kubernetes.io/instance={release}")  # as a StatefulSet's own has
    people = cluster_images.people(database=cluster_images.database())
    previews.ops.pull()
    previews.ops.push({"environments/previews/values.yaml": json.dumps(people) + "\n"})
    with previews.running():
        previews.say(cluster_images.app(tmp_path, app(TO_SQL)), pipelines=("./load",), target=PREVIEW)
        try:
            eventually(lambda: previews.phases(PREVIEW)[1:], "it has run", 2 * SECONDS)
        except BaseException:
            print(namespace.describe())
            raise
        last = previews.last(PREVIEW)
        assert last.phase == "succeeded", last.message
        assert last.receipt
        assert last.receipt.rows == 5

        previews.writer.refresh()
        previews.writer.write([Removal(PREVIEW, Ref("", ""), "branch new-chart is not there any more")])
        eventually(lambda: previews.release(PREVIEW) is None, "the release is gone", SECONDS)
        for kind in ("pods", "jobs", "persistentvolumeclaims", "secrets", "services"):
            eventually(partial(is_empty, namespace, kind, release), f"its {kind} are gone", SECONDS, POLL)


def is_empty(namespace: Namespace, kind: str, release: str) -> bool:
    return not namespace.get(kind, f"app.kubernetes.io/instance={release}")
