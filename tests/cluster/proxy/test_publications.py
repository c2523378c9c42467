"""What is published by way of the proxy: of runs, and of uploads; counted, and kept to its limit."""

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.needs import needs
from tests.support.publisher.world import tar_of
from tests.support.stories.proxy_world import Person
from tests.support.stories.publishing_world import FREE, URL, PublishingWorld, publishing_world
from tests.support.waiting import eventually

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]

FILES = {"index.html": b"<h1>Hello</h1>", "committees/all.csv": b"id\n1\n", "committees/datapackage.json": b"{}"}


@pytest.fixture(scope="module")
@needs("an API server")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishingWorld]:
    with publishing_world(tmp_path_factory.mktemp("publishing")) as made:
        yield made


@pytest.fixture
def ann(world: PublishingWorld, request: pytest.FixtureRequest) -> Iterator[Person]:
    yield world.proxy.person(request.node.name[:40].replace("_", "-"))
    world.usage.set_limits(FREE)


def size_of(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values()))


def granted(person: Person, size: int = size_of(FILES)) -> dict[str, Any]:
    answer = person.ask("POST", "/v1/publications", json={"name": "worker-abc", "bytes": size})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def uploader(world: PublishingWorld, grant: Mapping[str, Any]) -> Person:
    return Person(world.proxy.url, grant["token"])


def run(person: Person, world: PublishingWorld, *pipelines: str, **more: object) -> dict[str, Any]:
    body = {"pipelines": pipelines, "workload": world.runs.workload, **more}
    answer = person.ask("POST", "/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    name = answer.json()["name"]
    world.runs.until(name, "Succeeded", "Failed")
    found: dict[str, Any] = person.get(f"/v1/runs/{name}")
    return found


def test_what_a_run_published_is_counted(world: PublishingWorld, ann: Person) -> None:
    assert ann.get("/v1/cluster")["storage"] == {"url": URL}
    found = run(ann, world, "publish")
    assert found["publishedBytes"] > 0
    published = next(event for event in ann.events(found["name"]) if event["event"] == "published")
    assert published["items"][0]["url"] == f"{URL}/{found['worker']['name']}/"
    world.usage.round()
    assert world.usage.usage(found["name"]).bytes_published == found["publishedBytes"] == published["bytes"]


def test_a_run_may_publish_what_is_left_of_the_limit(world: PublishingWorld, ann: Person) -> None:
    world.usage.set_limits(FREE.replace("publishedBytes: null", "publishedBytes: 150"))
    first = run(ann, world, "publish")
    world.usage.round()
    second = run(ann, world, "publish")
    world.usage.round()
    assert (first["phase"], second["phase"], second["reason"]) == ("Succeeded", "Failed", "PublishFailed")
    left = 150 - first["publishedBytes"]
    said = f"nothing is published: limit publishedBytes: {left:,} of 150 bytes in 24 hours are left; some of it is free"
    assert second["message"].startswith(said)
    world.usage.set_limits(FREE.replace("publishedBytes: null", f"publishedBytes: {first['publishedBytes']}"))
    body = {"pipelines": ["rows"], "workload": world.runs.workload}
    status, problem = ann.refused("POST", "/v1/runs", json=body)
    assert (status, problem["limit"]) == (402, "publishedBytes")
    assert problem["resetsAt"]
    assert run(ann, world, "publish", publish="none")["phase"] == "Succeeded", "who publishes nothing may run"


def test_an_upload_is_published_and_counted_once(world: PublishingWorld, ann: Person) -> None:
    grant = granted(ann)
    assert grant["url"] == f"{URL}/{grant['prefix']}"
    assert grant["prefix"].startswith("worker-abc-")
    upload = uploader(world, grant)
    answers = [upload.ask("PUT", f"/v1/publications/{grant['uid']}", data=tar_of(FILES)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert (
        answers[0].json()
        == answers[1].json()
        == {
            "items": [
                {"kind": "site", "source": "data/index.html", "url": grant["url"]},
                {"kind": "data package", "source": "data/committees", "url": grant["url"] + "committees/"},
            ],
            "bytes": size_of(FILES),
        }
    )
    for name, content in FILES.items():
        assert (world.storage / grant["prefix"] / name).read_bytes() == content
    name = grant["prefix"].rstrip("/")
    eventually(
        lambda: (None, "publication", name, "publication")[1:] in {e[1:] for e in world.usage.events()}, "logged"
    )
    row = world.usage.usage(name)
    assert (row.bytes_published, row.outcome, row.is_closed) == (size_of(FILES), "Published", True)


def swapped(token: str) -> str:
    """Return it with another character in the middle: the last one has bits that say nothing."""
    middle = len(token) // 2
    return token[:middle] + ("0" if token[middle] != "0" else "1") + token[middle + 1 :]


def test_no_other_token_uploads(world: PublishingWorld, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = granted(ann), granted(ann)
    path, content = f"/v1/publications/{first['uid']}", tar_of(FILES)
    for token in (second["token"], ann.token, swapped(first["token"]), "x", ""):
        status, problem = Person(world.proxy.url, token).refused("PUT", path, data=content)
        assert (status, problem["code"]) == (401, "unauthorized")
    with monkeypatch.context() as patched:
        patched.setattr("cluster.proxy.publications.UPLOAD_TOKEN_SECONDS", -1)
        late = granted(ann)
    assert uploader(world, late).refused("PUT", f"/v1/publications/{late['uid']}", data=content)[0] == 401
    reader = world.proxy.person("reader", ("read",))
    assert reader.refused("POST", "/v1/publications", json={"name": "x", "bytes": 1})[0] == 403
    assert ann.refused("POST", "/v1/publications", json={"name": "../x", "bytes": 1})[0] == 400


def test_an_upload_that_is_too_large_broken_or_of_nothing_leaves_nothing(world: PublishingWorld, ann: Person) -> None:
    for content, size, status in (
        (tar_of({**FILES, "committees/large.csv": bytes(3_000_000)}), 1_000, 413),
        (tar_of(FILES)[:1_000], 1_000, 503),
        (tar_of({"a.csv": b"id\n"}), 1_000, 400),
        (tar_of({**FILES, "../x": b""}), 1_000, 400),
    ):
        grant = granted(ann, size)
        answer = uploader(world, grant).refused("PUT", f"/v1/publications/{grant['uid']}", data=content)
        assert answer[0] == status, answer
        assert not (world.storage / grant["prefix"]).exists()


def test_uploads_are_kept_to_the_limit_also_those_that_go_on(world: PublishingWorld, ann: Person) -> None:
    world.usage.set_limits(FREE.replace("publishedBytes: null", "publishedBytes: 100"))
    granted(ann, 60)
    status, problem = ann.refused("POST", "/v1/publications", json={"name": "x", "bytes": 60})
    assert (status, problem["limit"], problem["used"], problem["allowed"]) == (402, "publishedBytes", 60, 100)
    granted(ann, 40)


def test_what_a_run_wrote_is_kept_for_who_relays_it(world: PublishingWorld, ann: Person) -> None:
    found = run(ann, world, "publish", publish="relay")
    assert (found["phase"], found["publishedBytes"]) == ("Succeeded", None)
    path = f"/v1/runs/{found['name']}/publication"
    with tarfile.open(fileobj=io.BytesIO(ann.ask("GET", path).content)) as tar:
        assert sorted(tar.getnames()) == ["committees/datapackage.json", "committees/ועדות.csv", "index.html"]
    assert not (world.storage / found["worker"]["name"]).exists()
    ben = world.proxy.person("ben")
    assert ben.refused("GET", path)[1]["code"] == "no-such-run"
    other = run(ann, world, "rows")
    assert ann.refused("GET", f"/v1/runs/{other['name']}/publication")[1]["code"] == "no-publication"
