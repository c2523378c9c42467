"""A push can be followed with one grep, from its delivery through the bot and the in-cluster sync to the receipt."""

import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from bot.loop import Loop
from bot.model.webhook_events import Push
from tests.support.forge import APP
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.world import STAGING

DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.fixture
def _logged() -> Iterator[None]:
    """Log on stderr what servers log."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(wrapper_class=before)


def lines_of_the_push(text: str) -> list[tuple[str, str]]:
    """Return the logger and the event of each line that a grep for the delivery finds."""
    found = [line for line in text.splitlines() if f"delivery={DELIVERY}" in line]
    assert all("app=ann/app environment=staging" in line for line in found)
    return [(match[1], match[2]) for line in found if (match := re.search(r'logger=(\S+) event=("[^"]+"|\S+)', line))]


@pytest.mark.usefixtures("_logged")
def test_a_push_is_followed_from_its_delivery_to_the_receipt(
    cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    world = cluster.world
    commit = world.app.push(APP)
    world.store.deliveries.record(DELIVERY, Push("push", "ann/app", "refs/heads/master", "0" * 40, commit))
    loop = Loop(world.settings, frozenset({STAGING}), world.git, world.store, cluster.sync.wake)
    loop.take()
    loop.close()
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    text = capfd.readouterr().err
    assert lines_of_the_push(text) == [
        ("dppctl.bot", "deploying"),
        ("dppctl.sync", "started"),
        ("dppctl.sync", "succeeded"),
    ]
    assert "rows=3" in text.splitlines()[-1]
    assert cluster.last().receipt
