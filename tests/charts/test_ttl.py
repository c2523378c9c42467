"""A Job's TTL: the chart sets it for those who deploy by hand, and leaves it to sync where that deploys."""

from pathlib import Path

import pytest

from cluster.sync.helm.job_run import TTL
from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import of_kind, render

pytestmark = pytest.mark.needs("helm")


@pytest.mark.parametrize("seconds", [0, 5, 1_000_000])
def test_it_is_set_by_the_chart_or_left_to_sync(tmp_path: Path, seconds: int) -> None:
    values = {"ttlSecondsAfterFinished": seconds}
    (by_hand,) = of_kind(render(tmp_path, bot_values(), values), "Job")
    assert by_hand["spec"]["ttlSecondsAfterFinished"] == seconds
    assert TTL not in by_hand["metadata"]["annotations"]
    (by_sync,) = of_kind(render(tmp_path, bot_values(), values, {"global": {"dppctl": {"sync": True}}}), "Job")
    assert "ttlSecondsAfterFinished" not in by_sync["spec"]
    assert by_sync["metadata"]["annotations"][TTL] == str(seconds)
    assert by_sync["metadata"]["name"] == by_hand["metadata"]["name"]
