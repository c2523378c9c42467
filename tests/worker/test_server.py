"""The worker over HTTP."""

import gzip
import io
import json
import secrets
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import processes_with
from tests.support.waiting import eventually
from tests.support.worker import Worker
from tests.support.workloads import SLEEPER

GOOD = "good: {pipeline: [{run: update_package, parameters: {name: good}}]}\n"


@dataclass
class Client:
    url: str
    token: str = "right"

    def __call__(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content = answer.read().decode()
                return answer.status, [json.loads(line) for line in content.splitlines()]
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def read(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            assert len(content) == int(answer.headers["Content-Length"])
            return content

    def run(self, **request: Any) -> tuple[int, Any]:
        return self("POST", "/run", json.dumps(request).encode())


def archive(files: Mapping[str, str], links: Mapping[str, str] = {}) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, to in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, to
            tar.addfile(member)
    return target.getvalue()


def raw_tar(kind: bytes, size: int, content: bytes = b"", times: int = 1, level: int = 1) -> bytes:
    """A tar.gz of an entry of any kind that says it has this size."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    header = member.tobuf(tarfile.USTAR_FORMAT) if size < 8**11 else member.tobuf(tarfile.GNU_FORMAT)
    return gzip.compress((header + content) * times, level)


WRITING = """\
writing:
  pipeline:
  - run: write_page
    code: |
        import os
        from datapackage_pipelines.wrapper import ingest, spew
        parameters, datapackage, resources = ingest()
        os.mkdir("data")
        open("data/index.html", "w").close()
        spew(datapackage, resources)
"""
TWICE = "twice: {pipeline: [{run: load, parameters: {from: names.csv, name: names}}]}"
ZEROS = bytes(2**22)
SECRET = """\
secret:
  pipeline:
  - run: secret
    code: |
        import os
        from datapackage_pipelines.wrapper import ingest, spew
        parameters, datapackage, resources = ingest()
        spew(datapackage, resources, {"secret": os.environ.get("SECRET")})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture(params=[[]])
def client(worker: Worker, folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    (tmp_path / "token").write_text("right\n")
    options = ["--listen", "127.0.0.1:0", "--token-file", str(tmp_path / "token"), "--folder", str(folder)]
    process = worker.start("serve", *options, *request.param, cwd=tmp_path, TEST_MARK=str(folder))
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        yield Client(f"http://{address}")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert processes_with(f"TEST_MARK={folder}") == []


def receipt_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    [ended] = [event for event in events if event["event"] == "ended"]
    receipt: dict[str, Any] = ended["receipt"]
    return receipt


def test_a_workload_is_put_run_and_followed_to_its_receipt(client: Client, folder: Path) -> None:
    assert client("GET", "/health") == (200, [{"state": "waiting", "run": None}])
    assert client("PUT", "/workload", archive({"sub/pipeline-spec.yaml": GOOD}))[0] == 204
    assert client.run(pipelines=["./sub/good"], source={"commit": "0" * 40})[0] == 202
    status, events = client("GET", "/events")
    assert status == 200
    assert [event["event"] for event in events if event["event"] not in ("log", "progress")] == [
        "queued", "started", "finished", "ended", "closed"]  # fmt: skip
    assert receipt_of(events)["source"] == {"commit": "0" * 40}
    assert events[-1]["exit_code"] == 0
    assert (folder / "sub/pipeline-spec.yaml").exists()


def test_columns_are_checked_for_duplicates_when_the_request_says_so(client: Client) -> None:
    client("PUT", "/workload", archive({"pipeline-spec.yaml": TWICE, "names.csv": "id,name\n1,Ada\n2,Ada\n3,Zoë\n"}))
    client.run(unique=[{"resource": "*", "columns": ["name"]}, {"resource": "*", "columns": ["name", "id"]}])
    [names] = receipt_of(client("GET", "/events")[1])["pipelines"][0]["resources"]
    assert names["unique"] == [
        {"columns": ["name"], "duplicates": 1},
        {"columns": ["name", "id"], "duplicates": 0},
    ]


@pytest.mark.parametrize("client", [["--again"]], indirect=True)
def test_a_new_workload_replaces_the_old_one(client: Client, folder: Path) -> None:
    client("PUT", "/workload", archive({"pipeline-spec.yaml": WRITING, "old.py": "", "old/file": ""}))
    assert client("GET", "/publication") == (404, {"error": "there is nothing to publish"})
    client.run()
    *_, written, _ended, _closed = events = client("GET", "/events")[1]
    assert receipt_of(events)["status"] == "succeeded"
    items = [{"kind": "site", "source": "data/index.html", "path": ""}]
    assert (written["event"], written["items"], written["left_out"]) == ("written", items, [])
    with tarfile.open(fileobj=io.BytesIO(client.read("/publication"))) as tar:
        assert tar.getnames() == ["index.html"]
    eventually(lambda: client("GET", "/health")[1] == [{"state": "ended", "run": None}], "the first run has ended")
    client("PUT", "/workload", archive({"pipeline-spec.yaml": GOOD.replace("good", "new")}))
    assert client("GET", "/publication")[0] == 404
    client.run()
    assert receipt_of(client("GET", "/events")[1])["pipelines"][0]["id"] == "./new"
    assert sorted(path.name for path in folder.iterdir()) == ["pipeline-spec.yaml"]


@pytest.mark.parametrize("client", [["--again"]], indirect=True)
def test_a_run_is_known_by_its_id_and_its_events_by_their_numbers(client: Client) -> None:
    """So one who was away asks again, and goes on after what it knows; the last event comes whatever happened."""
    client("PUT", "/workload", archive({"pipeline-spec.yaml": GOOD.replace("pipeline:", "pipelin:")}))
    assert client.run(run="one")[0] == 202
    events = client("GET", "/events")[1]
    assert [event["event"] for event in events] == ["invalid", "closed"]
    assert (events[-1]["number"], events[-1]["exit_code"]) == (2, 2)
    eventually(lambda: client("GET", "/health")[1] == [{"state": "ended", "run": "one"}], "it has ended")
    assert client.run(run="one")[0] == 202
    assert client("GET", "/events?after=1")[1] == events[1:]
    assert client("GET", "/events?after=x") == (400, {"error": "after must be the number of an event"})
    assert client.run(run="two")[0] == 202
    assert client("GET", "/events")[1][-1]["exit_code"] == 2


@pytest.mark.parametrize("client", [["--again"]], indirect=True)
def test_a_process_is_ready_for_each_run_and_knows_nothing_of_the_one_before(client: Client, folder: Path) -> None:
    def ready() -> list[int]:
        return processes_with(f"TEST_MARK={folder}")

    client("PUT", "/workload", archive({"pipeline-spec.yaml": SECRET, "left.py": ""}))
    for variables, seen in (({"SECRET": "hush"}, "hush"), ({}, None)):
        eventually(lambda: len(ready()) == 2, "one is ready, beside the server")
        client.run(environment=variables)
        receipt = next(event["receipt"] for event in client("GET", "/events")[1] if event["event"] == "ended")
        assert receipt["pipelines"][0]["stats"] == {"secret": seen}
        eventually(lambda: client("GET", "/health")[1][0]["state"] == "ended", "it has ended")


def test_stop_ends_the_run(client: Client, folder: Path) -> None:
    client("PUT", "/workload", archive({"pipeline-spec.yaml": SLEEPER}))
    client.run()
    eventually((folder / "running").exists, "the pipeline runs")
    assert client.run() == (409, {"error": "a run is under way: POST /stop first, or wait for its end"})
    assert client("POST", "/stop")[0] == 202
    assert receipt_of(client("GET", "/events")[1])["status"] == "stopped"


def test_without_the_token_nothing_but_health_answers(client: Client) -> None:
    stranger = Client(client.url, "wrong")
    assert stranger("GET", "/health")[0] == 200
    reads = (("GET", "/events"), ("GET", "/publication"))
    for method, path in (("PUT", "/workload"), ("POST", "/run"), ("POST", "/stop"), *reads):
        assert stranger(method, path, b"" if method != "GET" else None)[0] == 401


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"not an archive", "not a tar.gz"),
        (archive({"../outside": ""}), "../outside: leaves the workload's folder"),
        (archive({"/outside": ""}), "/outside: leaves the workload's folder"),
        (archive({}, {"link": "/etc"}), "link: only files and folders are taken"),
        (archive({"noise": secrets.token_hex(10_000)})[:5_000], "not a tar.gz"),
        (raw_tar(tarfile.XHDTYPE, 2**22, ZEROS), "x: its header has more than"),
        (raw_tar(tarfile.GNUTYPE_LONGNAME, 2**22, ZEROS), "x: its header has more than"),
        (raw_tar(tarfile.GNUTYPE_SPARSE, 0), "x: only files and folders are taken, no sparse files"),
        (raw_tar(tarfile.XHDTYPE, 512, b"12 path=abc\n" + bytes(500), 5_000), "not a tar.gz"),
        (raw_tar(tarfile.REGTYPE, 2**70), "more than"),
    ],
    ids=["text", "parent", "absolute", "link", "truncated", "pax", "longname", "sparse", "chain", "huge"],
)
def test_a_bad_archive_is_refused_and_the_old_workload_stays(
    client: Client, folder: Path, body: bytes, told: str
) -> None:
    client("PUT", "/workload", archive({"kept": ""}))
    status, answer = client("PUT", "/workload", body)
    assert (status, answer["error"].startswith(told)) == (400, True), answer
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_a_large_workload_is_not_held_in_memory(client: Client, folder: Path) -> None:
    body = raw_tar(tarfile.REGTYPE, 2**26, bytes(2**26), level=0)
    assert len(body) > 2**26
    assert client("PUT", "/workload", body)[0] == 204
    (server,) = processes_with(f"--folder\0{folder}")
    peak = Path(f"/proc/{server}/status").read_text().partition("VmHWM:")[2].split()[0]
    assert int(peak) < 60 * 2**10, "kilobytes"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "Expecting"),
        (b"[]", "the body must be a JSON object"),
        (b'{"pipelines": "all"}', "pipelines must be a list of ids"),
        (b'{"environment": {"A": 1}}', "environment must map names to texts"),
        (b'{"run": 1}', "run must be a text"),
        (b'{"concurrency": 0}', "concurrency must be a number from 1 to 64"),
        (b'{"unique": [{"columns": []}]}', "unique must be a list of "),
    ],
)
def test_a_bad_request_is_refused_in_one_line(client: Client, body: bytes, told: str) -> None:
    status, answer = client("POST", "/run", body)
    assert (status, answer["error"].startswith(told)) == (400, True), answer
