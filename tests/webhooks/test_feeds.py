"""The feed and the badge of an environment."""

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.support.pages import APP, PagesWorld, make_world

PLACE = f"/apps/{APP}/staging"
ATOM = {"atom": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def world(tmp_path: Path) -> PagesWorld:
    return make_world(tmp_path)


def test_a_feed_has_what_ended_the_newest_first(world: PagesWorld) -> None:
    answer = world.client().get(f"{PLACE}/feed.atom")
    assert (answer.status_code, answer.content_type) == (200, "application/atom+xml; charset=utf-8")
    feed = Xml.fromstring(answer.data)
    assert feed.findtext("atom:title", namespaces=ATOM) == f"staging of {APP}"
    entries = feed.findall("atom:entry", ATOM)
    assert entries
    ids = [entry.findtext("atom:id", "", ATOM) for entry in entries]
    assert len(set(ids)) == len(ids)
    for entry in entries:  # what RFC 4287 wants of each
        assert all(entry.findtext(f"atom:{name}", "", ATOM) for name in ("id", "title", "updated"))
    updated = [entry.findtext("atom:updated", "", ATOM) for entry in entries]
    assert feed.findtext("atom:updated", namespaces=ATOM) == max(updated)
    listed = world.client().get(f"/api/deployments?app={APP}&environment=staging").get_json()["deployments"]
    ended = [found["id"] for found in listed if found["state"] in ("succeeded", "failed", "refused", "cancelled")]
    assert [int(identity.rpartition("/")[2]) for identity in ids] == ended


def test_whoever_asks_again_is_told_that_nothing_is_new(world: PagesWorld) -> None:
    for name in ("feed.atom", "badge.svg"):
        answer = world.client().get(f"{PLACE}/{name}")
        assert answer.headers["Cache-Control"] == "no-cache"
        again = world.client().get(f"{PLACE}/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_a_badge_says_what_is_there(world: PagesWorld) -> None:
    answer = world.client().get(f"{PLACE}/badge.svg")
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml; charset=utf-8")
    title = Xml.fromstring(answer.data).findtext("{http://www.w3.org/2000/svg}title") or ""
    assert title.startswith("staging: ")
    newest = world.client().get(f"/api/deployments?app={APP}&environment=staging&state=succeeded").get_json()
    failed = world.client().get(f"/api/deployments?app={APP}&environment=staging&state=failed").get_json()
    last = max(newest["deployments"] + failed["deployments"], key=lambda found: found["id"])
    said = f"{last['rows']:,} rows" if last["state"] == "succeeded" else "failed"
    assert title == f"staging: {said}"


def test_of_nothing_there_is_neither(world: PagesWorld) -> None:
    for name in ("feed.atom", "badge.svg"):
        assert world.client().get(f"/apps/{APP}/nowhere/{name}").status_code == 404
        assert world.client().get(f"/apps/bob/app/staging/{name}").status_code == 404
