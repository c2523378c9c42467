"""What a page of a folder shows, and that nothing of it is more than text."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.publisher.stable_files import stable_descriptor
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.limits import MAX_LISTED, PREVIEW_BYTES, PREVIEW_COLUMNS
from cluster.storage.listing import Listing, list_folder, listing_json, render_listing
from cluster.storage.package import describe_package
from cluster.storage.preview import Rows, first_rows
from tests.support.workloads import write_files

SCRIPT = "<script>alert(1)</script>"


def listed(root: Path, path: str = "", *names: str, folder_page: str = "") -> Listing:
    found = list_folder(FolderStorage(root), path, names, folder_page)
    assert found
    return found


def package(root: Path, descriptor: Any, files: dict[str, str] | None = None) -> str:
    """The page of a package with this descriptor."""
    write_files(root, {"p/datapackage.json": json.dumps(descriptor), **{f"p/{k}": v for k, v in (files or {}).items()}})
    return render_listing(listed(root, "p/"))


def test_a_package_is_shown_with_licence_schema_rows_and_downloads(tmp_path: Path) -> None:
    fields = [{"name": "id", "type": "integer", "title": "מספר"}, {"name": "name", "type": "string"}]
    resources = [
        {"name": "all", "path": "data/all.csv", "schema": {"fields": fields}, "bytes": 7},
        {"name": "lines", "path": ["lines.ndjson", "more.ndjson"]},
        {"name": "far", "path": "https://far.example/far.csv"},
    ]
    licenses = [{"name": "ODC-BY", "path": "https://opendatacommons.org/licenses/by/"}, {"title": "ours", "path": "x"}]
    descriptor = {"name": "c", "title": "ועדות", "description": "a\nb", "licenses": licenses, "resources": resources}
    files = {
        "data/all.csv": "id,name\n" + "".join(f"{number},n\n" for number in range(50)),
        "lines.ndjson": '{"a": 1, "b": null}\n{"b": [1], "c": 2}\n',
        "more.ndjson": "",
    }
    page = package(tmp_path, descriptor, files)
    assert '<h1 dir="auto">ועדות</h1>' in page
    assert 'href="https://opendatacommons.org/licenses/by/"' in page
    assert '<span dir="auto">ours</span>' in page
    assert '<td>integer</td><td dir="auto">מספר</td>' in page
    assert "<caption>First 20 rows</caption>" in page
    assert '<td dir="auto">19</td>' in page
    assert '<td dir="auto">20</td>' not in page
    assert '<tr><td dir="auto"></td><td dir="auto">[1]</td></tr>' in page
    assert re.search(r'href="./data/all.csv"[^>]*>data/all.csv</a> <span class="soft">\d+ B</span>', page)
    assert 'href="https://far.example/far.csv"' in page
    found = listing_json(listed(tmp_path, "p/"))
    assert (found["path"], found["package"]["title"]) == ("p/", "ועדות")
    assert {entry["name"] for entry in found["entries"]} == {"data", "datapackage.json", "lines.ndjson", "more.ndjson"}


def test_nothing_that_somebody_wrote_is_more_than_text(tmp_path: Path) -> None:
    evil = {"name": SCRIPT, "title": SCRIPT, "description": SCRIPT, "path": "javascript:alert(1)", "type": SCRIPT}
    schema = {"fields": [evil]}
    resources = [{**evil, "schema": schema}, {"name": SCRIPT, "path": "a.csv", "schema": schema}]
    descriptor = {**evil, "licenses": [evil, SCRIPT, "javascript:alert(1)"], "resources": resources}
    page = package(tmp_path, descriptor, {"a.csv": f"{SCRIPT}\n{SCRIPT}\n", f'"{SCRIPT[:7]}".csv': "x"})
    assert "<script" not in page
    assert "javascript:" not in "".join(re.findall(r'href="[^"]*"', page))


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "a/../../secret.csv", ".env", "link.csv", "folder/"])
def test_rows_are_of_files_in_the_package_only(tmp_path: Path, path: str) -> None:
    write_files(tmp_path, {"secret.csv": "hush\nhush\n", "p/.env": "hush\nhush\n"})
    (tmp_path / "p" / "link.csv").symlink_to(tmp_path / "secret.csv")
    page = package(tmp_path, {"resources": [{"name": "a", "path": path, "format": "csv"}]})
    assert "hush" not in page


def test_a_plain_folder_has_names_sizes_and_ways_up(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/b/דוח 1?.csv": "x" * 2500, "a/b/c/d.txt": "", "a/b/.hidden": ""})
    page = render_listing(listed(tmp_path, "a/b/", "ann+app", "staging"))
    assert (
        '<a href="./%D7%93%D7%95%D7%97%201%3F.csv" dir="auto">דוח 1?.csv</a></td><td class="number">2.5 kB</td>' in page
    )
    assert '<a href="./c/" dir="auto">c/</a>' in page
    assert ".hidden" not in page
    assert re.findall(r'<a href="([./]*)"[^>]*>([^<]*)', page.partition("<main>")[0]) == [
        ("../../../../", "top"),
        ("../../../", "ann+app"),
        ("../../", "staging"),
        ("../", "a"),
    ]
    assert 'href="./c/index.html"' in render_listing(listed(tmp_path, "a/b/", folder_page="index.html"))


def test_a_long_folder_is_cut(tmp_path: Path) -> None:
    for number in range(MAX_LISTED + 1):
        (tmp_path / f"{number:04}.csv").touch()
    found = listed(tmp_path)
    assert (len(found.contents.entries), found.contents.has_more) == (MAX_LISTED, True)
    assert "there are more" in render_listing(found)


@pytest.mark.parametrize(
    ("data", "format_", "resource", "rows"),
    [
        (b"a;b\n1;2\n", "csv", {"dialect": {"delimiter": ";"}}, Rows(("a", "b"), (("1", "2"),))),
        (b"1\t2\n", "tsv", {"dialect": {"header": False}}, Rows(("1", "2"), (("1", "2"),))),
        ("a\n\u05e9\n".encode("windows-1255"), "csv", {"encoding": "windows-1255"}, Rows(("a",), (("\u05e9",),))),
        (b"\xef\xbb\xbfa\n1\n", "csv", {"encoding": "no such"}, Rows(("a",), (("1",),))),
        (b'a\n"unclosed', "csv", {}, Rows(("a",), (("unclosed",),))),
        (b"a,b\n1\n1,2,3\n", "csv", {}, Rows(("a", "b"), (("1", ""), ("1", "2")))),
        (b'{"a": 1}\n[\n', "ndjson", {}, Rows(("a",), (("1",),))),
        (b"", "csv", {}, None),
        (b"7\n", "jsonl", {}, None),
    ],
)
def test_first_rows_are_read_as_the_descriptor_says(
    data: bytes, format_: str, resource: dict[str, Any], rows: Rows | None
) -> None:
    assert first_rows(data, format_, resource, is_whole=True, until=time.monotonic() + 60) == rows


def test_rows_have_limits(tmp_path: Path) -> None:
    wide = ",".join(map(str, range(1000)))
    rows = first_rows(f"{wide}\n{wide}\n{wide[:50]}".encode(), "csv", {}, is_whole=False, until=time.monotonic() + 60)
    assert rows
    assert (len(rows.header), len(rows.rows)) == (PREVIEW_COLUMNS, 1)
    long = first_rows(b"a\n" + b"x" * PREVIEW_BYTES + b"\n", "csv", {}, is_whole=True, until=time.monotonic() + 60)
    assert long
    assert len(long.rows[0][0]) < 400
    write_files(tmp_path, {"p/a.csv": "x" * PREVIEW_BYTES})
    assert "First" not in package(tmp_path, {"resources": [{"name": "a", "path": "a.csv"}]}), "of one endless line"


_KEYS = st.sampled_from(
    ["resources", "schema", "fields", "path", "name", "title", "licenses", "bytes", "dialect", "delimiter", "format"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.fuzz
@given(_JSON)
@example({"name": "\ud800", "resources": [{"name": "a", "path": "\ud800.csv"}]})
@example({"licenses": "https://\ud800", "resources": [{"name": "a", "path": "a", "bytes": 10**400}]})
@example({"resources": [{"name": "a", "path": "a.ndjson"}]})
def test_any_descriptor_makes_a_page(tmp_path_factory: pytest.TempPathFactory, descriptor: Any) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    root.mkdir(exist_ok=True)
    (root / "datapackage.json").write_text(json.dumps(descriptor))
    (root / "a.csv").write_text("a\n1\n")
    (root / "a.ndjson").write_text('{"\\ud800": 1}\n' + "[" * 50_000 + "\n")
    describe_package(FolderStorage(root), "")
    assert b"</html>" in render_listing(listed(root)).encode()
    json.loads(stable_descriptor((root / "datapackage.json").read_bytes(), "https://data.example.org/"))
