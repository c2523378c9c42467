"""What a person may publish in a day holds for what is published side by side, by runs and by uploads."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.publisher.day_limits import PublishedBytes
from cluster.publisher.limits import DAY_SECONDS
from cluster.publisher.shapes import CountedPublication
from tests.support.publisher.process import package
from tests.support.publisher.world import PublisherWorld, package_files, publisher_world, tar_of
from tests.support.serving import Reply, Request, serving

FILES = package_files("committees", *"abcdefgh")
SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PublisherWorld]:
    with publisher_world("folder", tmp_path / "world") as made:
        made.start()
        yield made


def asked(number: int, most: float, user: str = "github:1", **more: object) -> dict[str, object]:
    """A run's publication, whose person had all of the day's bytes left when the run began."""
    whole = int(most * SIZE)
    limit = {"limitBytes": whole, "dayLimit": {"user": user, "bytes": whole}}
    return {"uid": f"u{number}", "prefix": f"worker-{number}/", "items": [package("committees/")], **limit, **more}


@contextmanager
def waiting_worker() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A worker that was asked, and gives its tar when it is let."""
    was_asked, goes_on = threading.Event(), threading.Event()

    def answer(_: Request) -> Reply:
        was_asked.set()
        goes_on.wait(60)
        return Reply(200, {"Content-Type": "application/x-tar"}, tar_of(FILES))

    with serving(answer) as address:
        try:
            yield address, was_asked, goes_on
        finally:
            goes_on.set()


@pytest.mark.slow
def test_runs_side_by_side_publish_no_more_than_the_limit(world: PublisherWorld) -> None:
    publisher = world.publisher
    assert publisher
    world.worker.tar = tar_of(FILES)
    with waiting_worker() as (slow, was_asked, goes_on):
        publisher.ask(**asked(1, 1.5, worker=slow))
        assert was_asked.wait(60)
        publisher.ask(**asked(2, 1.5, worker=world.address))
        other = world.publish(FILES, **asked(3, 1.5, "github:2"))
        assert other["state"] == "published", "nobody waits for another person"
        goes_on.set()
        ends = [publisher.ended(uid) for uid in ("u1", "u2")]
    assert [end["state"] for end in ends] == ["published", "failed"]
    left = f"{int(1.5 * SIZE) - SIZE:,} of {int(1.5 * SIZE):,} bytes in 24 hours are left, and this is more"
    assert ends[1]["error"] == f"limit publishedBytes: with what you published meanwhile {left}"
    assert world.read("worker-2/committees/rows.csv") is None
    again = world.start()  # killed: it still knows what was published
    assert world.publish(FILES, **asked(4, 1.5))["state"] == "failed"
    assert again.publish(**asked(5, 2.0, worker=world.address))["state"] == "published"


@pytest.mark.slow
def test_an_upload_counts_from_its_beginning_and_is_refused_when_no_more_is_left(world: PublisherWorld) -> None:
    publisher = world.publisher
    assert publisher

    def uploaded(number: int, most: float) -> tuple[int, str]:
        counted = f"user=github:1&dayBytes={int(most * SIZE)}"
        where = f"/publications/up{number}?prefix=up-{number}/&limitBytes={SIZE}&{counted}"
        status, answer = publisher.call("PUT", where, tar_of(FILES))
        return status, str(answer.get("error"))

    assert uploaded(1, 1.5) == (202, "None")
    assert publisher.ended("up1")["state"] == "published"
    status, error = uploaded(2, 1.5)
    assert (status, error.startswith("limit publishedBytes: ")) == (413, True)
    assert world.publish(FILES, **asked(1, 1.5))["state"] == "failed", "runs and uploads are counted together"
    assert uploaded(3, 2.5) == (202, "None")
    assert publisher.ended("up3")["state"] == "published"


@pytest.mark.slow
def test_a_relayed_publication_and_one_without_a_limit_are_not_counted(world: PublisherWorld) -> None:
    for number, more in ((1, {"dayLimit": None}), (2, {"dayLimit": None, "prefix": ""})):
        assert world.publish(FILES, **asked(number, 1.5, **more))["state"] == "published"
    assert world.publish(FILES, **asked(3, 1.5))["state"] == "published"


counted = st.builds(
    CountedPublication,
    uid=st.integers(0, 30).map("u{}".format),
    user=st.sampled_from(["github:1", "google:2"]),
    bytes=st.integers(0, 10**12),
    ended=st.floats(0, 3 * DAY_SECONDS),
)


@given(found=st.lists(counted), torn=st.integers(0, 200), now=st.floats(2 * DAY_SECONDS, 4 * DAY_SECONDS))
def test_a_publisher_that_is_killed_knows_what_it_had_counted(
    found: list[CountedPublication], torn: int, now: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """But for a line that it had not written to its end."""
    file = tmp_path_factory.mktemp("counted") / "published.jsonl"
    before = PublishedBytes(file, 0.0)
    for each in found:
        before.add(each)
    known: dict[str, CountedPublication] = {}
    for each in found:
        known.setdefault(each.uid, each)
    line = json.dumps({"uid": "half", "user": "github:1", "bytes": 9, "ended": 9 * DAY_SECONDS}).encode()
    with file.open("ab") as half:
        half.write(line[:torn])
    for user in ("github:1", "google:2"):
        expected = sum(each.bytes for each in known.values() if each.user == user and each.ended > now - DAY_SECONDS)
        expected += 9 if user == "github:1" and torn >= len(line) else 0
        assert PublishedBytes(file, now).of(user, now) == expected
