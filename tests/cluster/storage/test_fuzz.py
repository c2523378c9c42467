"""Any path and any header is answered, and nothing but what is published is read."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.test import create_environ, run_wsgi_app

from cluster.storage.folder_storage import FolderStorage
from cluster.storage.server import StorageApp
from tests.support.workloads import write_files

_BYTES = st.text(st.characters(max_codepoint=255), max_size=30)  # as WSGI has them
_PARTS = st.sampled_from(
    ["", ".", "..", "w", "a.csv", "secret", "folder", ".env", "\0", "ש".encode().decode("latin-1")]
)
_PATHS = _BYTES | st.lists(_PARTS, max_size=6).map("/".join)
_HEADERS = st.sampled_from(
    [
        "RANGE",
        "IF_RANGE",
        "IF_MATCH",
        "IF_NONE_MATCH",
        "IF_MODIFIED_SINCE",
        "IF_UNMODIFIED_SINCE",
        "ACCEPT_ENCODING",
        "HOST",
    ]
)
_VALUES = _BYTES | st.sampled_from(["bytes=0-0", "bytes=-0", "bytes=9-1", "bytes=5-", '"a"', "*", 'W/"', "gzip;q=x"])
_ANSWERS = {200, 206, 301, 304, 403, 404, 412, 416}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> StorageApp:
    root = tmp_path_factory.mktemp("fuzz")
    write_files(root, {"secret/a.csv": "hush", "storage/w/a.csv": "a\n" * 1000, "storage/.env": "hush"})
    (root / "storage" / "folder").symlink_to(root / "secret")
    return StorageApp({"": FolderStorage(Path(root, "storage"), has_pointers=True)}, hosts=("localhost",), base="/w")


@pytest.mark.fuzz
@given(_PATHS, st.dictionaries(_HEADERS, _VALUES, max_size=3), st.sampled_from(["", "format=json", "format=%ff&=&"]))
@example("w/a.csv", {"RANGE": "bytes=99999999999999999999-"}, "")
@example("w/a.csv", {"IF_MODIFIED_SINCE": "Mon, 99 Foo 0000 99:99:99 GMT"}, "")
def test_any_request_is_answered(app: StorageApp, path: str, headers: dict[str, str], query: str) -> None:
    environ = create_environ(method="GET")
    environ |= {"PATH_INFO": f"/{path}", "QUERY_STRING": query, **{f"HTTP_{k}": text for k, text in headers.items()}}
    chunks, status, _ = run_wsgi_app(app.respond, environ, buffered=True)
    assert int(status[:3]) in _ANSWERS
    assert b"hush" not in b"".join(chunks)
