"""A bucket that is shown: what it says otherwise than a file, and what is not passed on."""

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from cluster.storage.bucket_storage import BucketStorage
from cluster.storage.server import StorageApp
from tests.support.publisher.buckets import gcs_bucket
from tests.support.serving import Reply, Request, serving

ANSWERS = {
    "/b/w/a.csv": Reply(200, {"ETag": '"1"', "Set-Cookie": "a=b", "x-amz-meta-secret": "hush", "Content-Type": "x/y"}),
    "/b/w/denied.csv": Reply(403),
    "/b/w/long.csv": Reply(400),
    "/b/w/elsewhere.csv": Reply(302, {"Location": "http://169.254.169.254/"}),
    "/b/w/broken.csv": Reply(500, body=b"hush"),
    "/b/w/busy.csv": Reply(429),
    "/b/w/cut.csv": Reply(200, {"Content-Length": "100"}, b"half"),
}


@pytest.fixture
def asked() -> list[Request]:
    return []


@pytest.fixture
def client(asked: list[Request]) -> Iterator[Client]:
    def answer(request: Request) -> Reply:
        asked.append(request)
        return ANSWERS.get(request.path, Reply(404))

    with serving(answer) as bucket:
        yield Client(StorageApp({"": BucketStorage(f"http://{bucket}/b")}).respond)


def test_what_a_bucket_says_of_itself_is_not_passed_on(client: Client) -> None:
    answer = client.get("/w/a.csv")
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert not {"Set-Cookie", "x-amz-meta-secret"} & set(answer.headers.keys())


@pytest.mark.parametrize(("name", "status"), [("denied", 404), ("long", 404), ("nothing", 404), ("busy", 503)])
def test_what_is_not_there_is_404_whatever_the_bucket_calls_it(client: Client, name: str, status: int) -> None:
    assert client.get(f"/w/{name}.csv").status_code == status


@pytest.mark.parametrize("name", ["elsewhere", "broken"])
def test_a_bucket_that_leads_elsewhere_or_fails_is_asked_again_later(client: Client, name: str) -> None:
    answer = client.get(f"/w/{name}.csv")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Location" not in answer.headers
    assert "hush" not in answer.text


def test_what_ends_too_soon_is_no_whole_answer(client: Client) -> None:
    with pytest.raises(Exception, match="IncompleteRead"):
        assert client.get("/w/cut.csv").data


def test_a_bucket_that_is_away_is_503() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = Client(StorageApp({"": BucketStorage(f"http://127.0.0.1:{nobody.getsockname()[1]}/b")}).respond)
        assert client.get("/w/a.csv").status_code == 503


def test_no_request_leaves_the_buckets_path(client: Client, asked: list[Request]) -> None:
    for path in ("/../secret", "/w/%2e%2e/%2e%2e/secret", "/w//a.csv", "/w/.env", "/w/%00"):
        assert client.get(path).status_code == 404, path
    assert not [request for request in asked if "secret" in request.path or ".env" in request.path]


@pytest.mark.slow
def test_a_bucket_of_google_is_shown(tmp_path: Path) -> None:
    with gcs_bucket(tmp_path) as bucket:
        upload = bucket.url.replace("/public", "/upload/storage/v1/b/public/o?uploadType=media&name=")
        rows = b"a\n" + b"1\n" * 1000
        for name, body in {"w/p/a.csv": rows, "w/p/datapackage.json": b'{"title": "P", "resources": []}'}.items():
            urllib.request.urlopen(urllib.request.Request(upload + name, body, method="POST"), timeout=10).close()
        client = Client(StorageApp({"": BucketStorage(bucket.url)}).respond)
        whole = client.get("/w/p/a.csv")
        assert (whole.status_code, whole.data) == (200, rows)
        part = client.get("/w/p/a.csv", headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.data) == (206, rows[2:5])
        assert client.get("/w/p").status_code == 301
        assert ">P</h1>" in client.get("/w/p/").text
        assert client.get("/w/p/none.csv").status_code == 404
