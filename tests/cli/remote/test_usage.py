"""`dppctl usage`: one's own, everybody's for admins, as a table, JSON and CSV."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from tests.support.serving import Reply, Request, serving

Person = Callable[..., str]
RUN = {
    "run": "run-1", "user": "token:ann", "created": "2026-01-31T12:00:00Z", "started": None, "ended": None,
    "outcome": "Running", "workerSeconds": 1800, "databaseSeconds": 0, "rows": 984, "bytesIn": 1500000,
    "bytesPublished": 0,
}  # fmt: skip
LIMITS = [
    {"name": "runs", "unit": "runs at a time", "used": 1, "allowed": 2},
    {"name": "sshMinutes", "unit": "minutes of ssh in 24 hours", "used": 0.5, "allowed": None},
]


def proxy_that_knows(*scopes: str, asked: list[dict[str, list[str]]]) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if path == "/v1/cluster":
            about = {"name": "office", "version": "1", "user": "token:ann", "scopes": scopes, "pools": []}
            return Reply(200, {}, json.dumps(about).encode())
        asked.append(query)
        if query["format"] == ["csv"]:
            return Reply(200, {}, b"run,user\r\nrun-1,token:ann\r\n")
        report = {"user": None, "since": "2026-01-24T12:00:00Z", "runs": [RUN], "limits": LIMITS}
        return Reply(200, {}, json.dumps(report).encode())

    return answer


def test_people_see_what_they_used(person: Person, settings_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_folder
    monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_right")
    asked: list[dict[str, list[str]]] = []
    assert person("usage").startswith("refused: which cluster?")
    with serving(proxy_that_knows("read", asked=asked)) as address:
        add_cluster(NamedCluster("office", f"http://{address}"))
        use_cluster("office")
        assert [line.strip() for line in person("usage", "-o", "table").splitlines()] == [
            "RUN    USER       BEGUN             OUTCOME  WORKER   DATABASE  ROWS  MB IN",
            "run-1  token:ann  2026-01-31 12:00  Running  1,800 s  0 s        984  1.5",
            "1 runs, 0.50 worker-hours, 984 rows since 2026-01-24 12:00 UTC",
            "1 of 2 runs at a time",
            "0.5 no limit minutes of ssh in 24 hours",
        ]
        assert asked == [{"since": ["7d"], "format": ["json"]}]
        assert person("usage", "-o", "csv", "--since", "30d") == "run,user\nrun-1,token:ann\n"
        assert json.loads(person("usage"))["runs"] == yaml.safe_load(person("usage", "-o", "yaml"))["runs"] == [RUN]
        assert person("usage", "-o", "name") == "run-1\n"
        assert "only one of them" in person("usage", "--mine", "--user", "token:ben")


def test_an_admin_sees_everybodys_or_who_is_named(
    person: Person, settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_folder
    monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_right")
    asked: list[dict[str, list[str]]] = []
    with serving(proxy_that_knows("read", "admin", asked=asked)) as address:
        add_cluster(NamedCluster("office", f"http://{address}"))
        for arguments in ((), ("--mine",), ("--user", "token:ben")):
            assert "run-1" in person("usage", "--cluster", "office", *arguments)
    assert [{name: each.get(name) for name in ("all", "user")} for each in asked] == [
        {"all": ["1"], "user": None},
        {"all": None, "user": None},
        {"all": None, "user": ["token:ben"]},
    ]
