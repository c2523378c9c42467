"""The storage server, the same in all the ways that it is started in: a run's, `dppctl up`'s, a cluster's."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.storage_servers import (
    ServedStorage,
    of_a_bucket,
    of_a_folder,
    of_a_run,
    of_environments,
)
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow
ROWS = "number,name\n" + "".join(f"{number},שם\n" for number in range(1000))
PACKAGE = {
    "title": "Committees",
    "resources": [{"name": "all", "path": "all.csv", "schema": {"fields": [{"name": "number", "type": "integer"}]}}],
}
FILES = {
    "index.html": "<h1>שלום</h1>",
    "404.html": "<h1>Not here</h1>",
    "committees/datapackage.json": json.dumps(PACKAGE),
    "committees/all.csv": ROWS,
    "committees/.env": "hush",
    "pages/index.html": "<h1>Pages</h1>",
    "pages/404.html": "<h1>No such page</h1>",
    "ועדות.csv": "a\n1\n",
    **{f"types/a{suffix}": "x" for suffix in (".geojson", ".json", ".ndjson", ".parquet", ".xlsx", ".md", ".yaml")},
    **{f"types/a{suffix}": "x" for suffix in (".sqlite", ".svg", ".woff2", ".js", ".css", ".csv.gz", ".unknown", "")},
}
TEXT = "; charset=utf-8"
TYPES = {
    ".geojson": f"application/geo+json{TEXT}",
    ".json": f"application/json{TEXT}",
    ".ndjson": f"application/x-ndjson{TEXT}",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".md": f"text/markdown{TEXT}",
    ".yaml": f"application/yaml{TEXT}",
    ".sqlite": "application/vnd.sqlite3",
    ".svg": f"image/svg+xml{TEXT}",
    ".woff2": "font/woff2",
    ".js": f"text/javascript{TEXT}",
    ".css": f"text/css{TEXT}",
    ".csv.gz": "application/gzip",
    ".unknown": "application/octet-stream",
    "": "application/octet-stream",
}
Way = Callable[[Path, Path], AbstractContextManager[ServedStorage]]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(of_a_run, id="run"),
        pytest.param(of_environments, id="up"),
        pytest.param(of_a_folder, id="folder"),
        pytest.param(of_a_bucket, id="bucket"),
    ],
)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(scope="module")
def storage(way: Way, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStorage]:
    folder = tmp_path_factory.mktemp("storage")
    files = write_files(folder / "files", FILES)
    secret = write_files(folder / "secret", {"index.html": "hush", "datapackage.json": "{}"})
    (files / "link.html").symlink_to(secret / "index.html")
    (files / "folder").symlink_to(secret)
    (files / "sub").mkdir()
    (files / "sub" / "index.html").symlink_to(secret / "index.html")
    (files / "sub" / "404.html").symlink_to(secret / "index.html")
    with way(folder, files) as served:
        yield served


def test_a_site_has_pages_and_its_own_for_what_is_not_there(storage: ServedStorage) -> None:
    page = storage.ask()
    assert (page.status, page.headers["Content-Type"], page.text) == (200, f"text/html{TEXT}", "<h1>שלום</h1>")
    missing = storage.ask("nothing.html")
    assert (missing.status, missing.text) == (404, "<h1>Not here</h1>")
    assert (storage.ask("pages/nothing/").status, storage.ask("pages/nothing/").text) == (404, "<h1>No such page</h1>")
    for answer in (page, missing):
        assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts allow-popups allow-forms")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
    assert storage.ask("nothing.html", "HEAD").body == b""
    assert storage.ask("nothing.html", "HEAD").status == 404


def test_a_folder_without_its_slash_leads_to_it(storage: ServedStorage) -> None:
    for path, target in (("pages?a=b", "./pages/?a=b"), ("committees", "./committees/")):
        answer = storage.ask(path)
        assert (answer.status, answer.headers["Location"]) == (301, target)


def test_each_file_has_the_type_that_its_name_says(storage: ServedStorage) -> None:
    for suffix, kind in TYPES.items():
        assert storage.ask(f"types/a{suffix}", "HEAD").headers["Content-Type"] == kind, suffix
    drawing = storage.ask("types/a.svg", "HEAD").headers
    assert drawing["Content-Security-Policy"].startswith("sandbox "), "it may hold scripts"


def test_names_of_any_language_are_percent_encoded(storage: ServedStorage) -> None:
    assert storage.ask("%D7%95%D7%A2%D7%93%D7%95%D7%AA.csv").text == "a\n1\n"


def test_what_has_not_changed_is_not_sent_again(storage: ServedStorage) -> None:
    file = storage.ask("committees/all.csv")
    tag, when = file.headers["ETag"], file.headers["Last-Modified"]
    assert (file.text, file.headers["Content-Length"]) == (ROWS, str(len(ROWS.encode())))
    assert file.headers["Cache-Control"] == "no-cache"
    for condition in ({"If_None_Match": tag}, {"If_None_Match": f"W/{tag}"}, {"If_Modified_Since": when}):
        again = storage.ask("committees/all.csv", **condition)
        assert (again.status, again.body, again.headers["ETag"].removeprefix("W/")) == (304, b"", tag), condition
        assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert storage.ask("committees/all.csv", If_None_Match='"another"').status == 200
    head = storage.ask("committees/all.csv", "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(ROWS.encode())))


def test_a_part_can_be_asked_for(storage: ServedStorage) -> None:
    whole = ROWS.encode()
    assert storage.ask("committees/all.csv").headers["Accept-Ranges"] == "bytes"
    tag = storage.ask("committees/all.csv").headers["ETag"]
    for given, first, last in (
        ("bytes=0-3", 0, 3),
        ("bytes=100-", 100, len(whole) - 1),
        ("bytes=-5", len(whole) - 5, len(whole) - 1),
        ("bytes=10-999999999", 10, len(whole) - 1),
    ):
        part = storage.ask("committees/all.csv", Range=given, Accept_Encoding="gzip", If_Range=tag)
        assert (part.status, part.body) == (206, whole[first : last + 1]), given
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
        assert "Content-Encoding" not in part.headers
    for given in ("bytes=0-3,5-6", "bytes=x", "rows=0-3"):
        answer = storage.ask("committees/all.csv", Range=given)
        assert (answer.status, answer.body) == (200, whole), given
    assert storage.ask("committees/all.csv", Range="bytes=0-3", If_Range='"another"').status == 200
    beyond = storage.ask("committees/all.csv", Range="bytes=999999-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


def test_texts_are_compressed_for_who_can_read_that(storage: ServedStorage) -> None:
    plain, packed = storage.ask("committees/all.csv"), storage.ask("committees/all.csv", Accept_Encoding="br, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["Vary"].lower()
    for path, accepted in (("committees/all.csv", "gzip;q=0"), ("index.html", "gzip"), ("types/a.woff2", "gzip")):
        assert "Content-Encoding" not in storage.ask(path, Accept_Encoding=accepted).headers, path
    again = storage.ask("committees/all.csv", Accept_Encoding="gzip", If_None_Match=packed.headers["ETag"])
    assert again.status == 304


def test_pages_from_anywhere_may_read_it(storage: ServedStorage) -> None:
    before = storage.ask(
        "committees/all.csv", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET"
    )
    assert before.status == 204
    assert "Range" in before.headers["Access-Control-Allow-Headers"]
    for answer in (before, storage.ask("committees/all.csv"), storage.ask("nothing"), storage.ask("committees/")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_nothing_can_be_changed(storage: ServedStorage) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
        answer = storage.ask("committees/all.csv", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS"), method


def test_nothing_hidden_and_no_link_is_shown_and_no_path_leads_out(storage: ServedStorage) -> None:
    for path in (
        "committees/.env",
        "link.html",
        "folder/",
        "folder/index.html",
        "sub/index.html",
        "../secret/index.html",
        "..%2f..%2fsecret/index.html",
        "%2e%2e/secret/index.html",
        "%252e%252e/secret/index.html",
        "..%5csecret",
        "%c0%ae%c0%ae/secret",
        "%ff.csv",
        "%00",
        "committees//all.csv",
        "committees/all.csv/",
        "/etc/passwd",
        "//etc/passwd",
        "/..%00/etc/passwd",
    ):
        answer = storage.ask(path)
        assert answer.status == 404, path
        assert b"hush" not in answer.body
        assert b"root:" not in answer.body


def test_a_page_of_another_host_that_leads_here_cannot_read_it(storage: ServedStorage) -> None:
    assert storage.ask(Host="evil.example:80").status == 403
    assert storage.ask(Host="localhost:80").status == 200


def test_a_data_package_is_shown_to_people(storage: ServedStorage) -> None:
    page = storage.ask("committees/")
    assert (page.status, page.headers["Content-Type"]) == (200, f"text/html{TEXT}")
    assert '<h1 dir="auto">Committees</h1>' in page.text
    assert page.text.count('<tr><td dir="auto">') == 20
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    found = json.loads(storage.ask("committees/?format=json").body)
    assert found["package"]["resources"][0]["columns"][0]["name"] == "number"
    assert "datapackage.json" in [entry["name"] for entry in found["entries"]]
