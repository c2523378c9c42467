"""A publisher takes what a worker has, and puts it where people read it: by a folder, S3, and Google's storage."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.publisher.process import SITE, TOKEN, package, request
from tests.support.publisher.world import ENGINES, PublisherWorld, package_files, publisher_world, tar_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublisherWorld]:
    with publisher_world(request.param, tmp_path_factory.mktemp("publisher") / "world") as made:
        made.start()
        yield made


def test_a_run_is_published_once_below_its_worker(world: PublisherWorld) -> None:
    files = package_files("committees", "ועדה") | {"committees/נתונים/א ב%.txt": b"x" * 100_000}
    ended = world.publish(files, items=[package("committees/")])
    size = sum(map(len, files.values()))
    url = f"{world.url}/worker-1/committees/"
    items = [{"kind": "data package", "source": "data/committees", "url": url}]
    assert ended == {"state": "published", "bytes": size, "files": 3, "items": items, "error": None}
    assert {path: world.read(f"worker-1/{path}") for path in files} == files
    if world.engine != "folder":
        page = (world.read("worker-1/committees/index.html") or b"").decode()
        assert "<title>committees" in page
        assert "ועדה" in page
        assert 'href="./committees/index.html"' in (world.read("worker-1/index.html") or b"").decode()
    assert world.publisher
    again = world.publisher.ask(worker="127.0.0.1:9")
    assert again == ended
    status, answer = world.publisher.call("POST", "/publications", json.dumps(request(uid="u2")).encode())
    assert (status, answer["code"]) == (409, "other-publication")


def test_a_deployments_packages_change_one_by_one_and_old_releases_go(world: PublisherWorld) -> None:
    prefix = "ann+data/production/"

    def publish(number: int, *names: str, site: bool = False) -> None:
        files = {path: content for name in names for path, content in package_files(name, f"{number}").items()}
        items = [package(f"{name}/") for name in names]
        if site:
            files, items = files | {"index.html": b"<h1>site"}, [*items, SITE]
        ended = world.publish(files, uid=f"d{number}", prefix=prefix, items=items)
        assert ended["state"] == "published", ended
        assert ended["items"][0]["url"] == f"{world.url}/{prefix}{names[0]}/"

    publish(1, "committees", "members", site=True)
    first = world.read(f"{prefix}current.json")
    publish(2, "members")
    assert (world.current(prefix, "committees/rows.csv"), world.current(prefix, "members/rows.csv")) == (
        b"name\n1\n",
        b"name\n2\n",
    )
    assert world.current(prefix, "index.html") == b"<h1>site"
    for number in (3, 4, 5):
        publish(number, "committees", "members", site=True)
    assert first
    (release,) = set(json.loads(first)["paths"].values())
    assert world.read(f"{prefix}releases/{release}/members/rows.csv") is None
    if world.engine != "folder":
        stable = json.loads(world.read(f"{prefix}members/datapackage.json") or b"")
        with urllib.request.urlopen(stable["resources"][0]["path"], timeout=10) as answer:
            assert answer.read() == b"name\n5\n"
        for page in ("index.html", "members/index.html"):
            assert b"/releases/" in (world.read(f"{prefix}{page}") or b"")


def test_an_upload_is_published_by_what_it_holds(world: PublisherWorld) -> None:
    assert world.publisher
    files = package_files("committees", "a") | {"index.html": b"<h1>site"}
    status, answer = world.publisher.call("PUT", "/publications/up1?prefix=up-1/&limitBytes=100000", tar_of(files))
    assert (status, answer["bytes"]) == (202, sum(map(len, files.values())))
    ended = world.publisher.ended("up1")
    sources = [(item["source"], item["url"]) for item in ended["items"]]
    site, committees = ("data/index.html", f"{world.url}/up-1/"), ("data/committees", f"{world.url}/up-1/committees/")
    assert sources == [site, committees]
    assert world.read("up-1/index.html") == b"<h1>site"
    for body, query, code, status in (
        (tar_of({"x.csv": b""}), "prefix=up-2/&limitBytes=1", "not-publishable", 400),
        (tar_of(files), "prefix=up-2/&limitBytes=10", "publication-too-large", 413),
        (tar_of(files), "prefix=../&limitBytes=10", "not-publishable", 400),
        (tar_of(files), "limitBytes=10", "invalid", 400),
        (tar_of(files)[:1_000], "prefix=up-2/&limitBytes=100000", "not-now", 503),
    ):
        said, answer = world.publisher.call("PUT", f"/publications/up2?{query}", body)
        assert (said, answer["code"]) == (status, code), answer
        assert world.publisher.call("GET", "/publications/up2")[0] == 404
    assert world.read("up-2/x.csv") is None


def test_without_a_prefix_files_are_kept_for_whoever_asks(world: PublisherWorld) -> None:
    assert world.publisher
    files = package_files("committees", "a")
    ended = world.publish(files, uid="relay", prefix="", items=[package("committees/")])
    assert (ended["state"], ended["items"][0]["url"]) == ("published", "")
    asked = urllib.request.Request(
        f"{world.publisher.url}/publications/relay/files", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        relayed = answer.read()
    assert world.publisher.call("PUT", "/publications/relayed?prefix=relayed/&limitBytes=9999", relayed)[0] == 202
    assert world.publisher.ended("relayed")["state"] == "published"
    assert world.read("relayed/committees/rows.csv") == b"name\na\n"


def test_a_worker_that_forges_is_told_in_one_line_and_nothing_is_published(world: PublisherWorld) -> None:
    forged = package_files("committees", "a") | {"members/rows.csv": b""}
    cases = {
        "which it did not say that it wrote": (forged, package("committees/")),
        "and does not send it": (package_files("committees", "a"), package("members/")),
        "does not give what it wrote: 401": ({}, package("committees/")),
    }
    for number, (said, (files, item)) in enumerate(cases.items()):
        token = {} if files else {"workerToken": "wrong"}
        kept = files or package_files("committees")
        items = [item] if said != "and does not send it" else [package("committees/"), item]
        ended = world.publish(kept, uid=f"f{number}", prefix=f"forged-{number}/", items=items, **token)
        assert (ended["state"], said in ended["error"], "\n" in ended["error"]) == ("failed", True, False), ended
        assert world.read(f"forged-{number}/committees/rows.csv") is None
    assert not list((world.folder / "scratch" / "files").glob("f*"))


def test_a_stranger_is_refused(world: PublisherWorld) -> None:
    assert world.publisher
    for path in ("/publications/u1", "/publications/u1/files"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(world.publisher.url + path, timeout=10)
    for body in (b"", b"[]", json.dumps(request(worker="http://elsewhere/")).encode()):
        assert world.publisher.call("POST", "/publications", body)[0] == 400
    metrics = urllib.request.urlopen(f"{world.publisher.url}/metrics", timeout=10).read().decode()
    assert 'dppctl_publications_total{state="published"}' in metrics
