"""A pass over 200 environments in one ops repo, with a real API server and without a helm."""

import threading

from bot.model.registration import Target
from cluster.sync.helm import records
from cluster.sync.helm.decide import Rules
from cluster.sync.helm.state import Record
from cluster.sync.helm.sync import HelmSync
from tests.support.faulty_api import FaultyApi
from tests.support.stories.helm_cluster import Cluster
from tests.support.world import STAGING

NUMBER = 200


def test_a_pass_over_200_environments_makes_two_calls_and_starts_what_changed(
    shaky: Cluster, faulty: FaultyApi
) -> None:
    namespace = shaky.namespaces["staging"]
    targets = frozenset(Target(STAGING.app, STAGING.ops, f"e-{number}") for number in range(NUMBER))
    shaky.ops.push({target.values_file: "image: one\n" for target in targets})
    namespaces = {target.environment: namespace for target in targets}
    sync = HelmSync(shaky.context, targets, namespaces, Rules(drift_seconds=None), threading.Event())
    assert sync.read()
    for location, desired in sync.known():
        assert desired
        records.write(shaky.api, location, Record(desired.fingerprint, "succeeded", 1, 1))
        name = location.release
        labels = {"owner": "helm", "name": name, "status": "deployed", "version": "1"}
        secret = {"metadata": {"name": f"sh.helm.release.v1.{name}.v1", "labels": labels}, "type": "helm.sh/release.v1"}
        shaky.api.create(f"/api/v1/namespaces/{namespace}/secrets", secret)

    faulty.seen.clear()
    assert sync.look()
    assert [call.partition("?")[0].rpartition("/")[2] for call in faulty.seen] == ["secrets", "configmaps"]
    assert (sync.counts.phases, sync.counts.done) == ({"succeeded": NUMBER}, {})

    shaky.ops.push({"environments/e-7/values.yaml": "text: other\n"})
    assert sync.look()
    assert sync.counts.done == {"deploy": 1}
    sync.stop()
    sync._scheduler.close(20)
