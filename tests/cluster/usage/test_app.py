"""The usage server's HTTP: for servers, which show its token, and the page, for people."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from bot.accounts import AccountsAwayError
from bot.model.account import Account, Permission
from bot.usage_events import UsageEvent
from cluster.usage.app import UsageOptions, create_usage_app
from cluster.usage.metrics import UsageMetrics
from cluster.usage.reservations import WantedRun
from cluster.usage.service import UsageService
from cluster.usage.tables import LoggedEvent, Reservation, RunUsage

TOKEN = {"Authorization": "Bearer of-servers"}
LIMITS = "default: {runs: 2, workerHours: 1, callsPerMinute: 50}\nbans:\n- {address: 203.0.113.7, reason: scans}"
EVIL = "=cmd|'/c calc'!A1<script>alert(1)</script>"


class KnownSessions:
    """The auth server's answers, for these sessions."""

    def __init__(self) -> None:
        self.is_away = False
        self.accounts = {
            "of-ann": Account("github:1", "ann", frozenset({"read", "run"}), csrf="mark"),
            "of-root": Account("github:2", "root", frozenset({"read", "admin"}), csrf="mark"),
        }

    def identify(self, token: str) -> Account | None:
        if self.is_away:
            raise AccountsAwayError("away")
        return self.accounts.get(token)

    def may_deploy(self, token: str, app: str) -> Permission:
        raise NotImplementedError


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsageService]:
    folder: Path = tmp_path_factory.mktemp("usage")
    (folder / "limits.yaml").write_text(LIMITS)
    service = UsageService(f"sqlite:///{folder}/usage.sqlite", folder / "limits.yaml")
    now = datetime.now(UTC)
    with service.database.write() as session:
        for number, user in enumerate(("github:1", "github:2", "token:busy")):
            session.add(
                RunUsage(
                    uid=str(number),
                    run=f"run-{number}",
                    user=user,
                    worker_seconds=3600,
                    database_seconds=5,
                    rows=984,
                    bytes_in=1000,
                    bytes_published=0,
                    created=now,
                    started=now,
                    ended=now - timedelta(minutes=number),
                    outcome="Succeeded",
                    noticed="",
                    is_closed=True,
                )
            )
    service.events.record([UsageEvent(user="github:1", login=EVIL, action="POST /v1/runs", subject="run-0")])
    yield service
    service.close()


@pytest.fixture(scope="module")
def client(service: UsageService, metrics: UsageMetrics) -> FlaskClient:
    return create_usage_app(UsageOptions("of-servers"), service, metrics=metrics).test_client()


@pytest.fixture(scope="module")
def metrics(service: UsageService) -> UsageMetrics:
    return UsageMetrics(service)


@pytest.fixture
def sessions() -> KnownSessions:
    return KnownSessions()


@pytest.fixture
def visitor(service: UsageService, sessions: KnownSessions) -> FlaskClient:
    return create_usage_app(UsageOptions("of-servers", "oauth"), service, sessions).test_client(use_cookies=False)


def reserve(client: FlaskClient, **changes: Any) -> TestResponse:
    body = {"run": "run-x", "user": "token:ann", "timeoutSeconds": 60, "groups": [], "ip": "192.0.2.1", **changes}
    return client.post("/reservations", json=body, headers=TOKEN)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/reservations"),
        ("DELETE", "/reservations/x"),
        ("POST", "/events"),
        ("GET", "/limits"),
        ("GET", "/report"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic of-servers"}])
def test_only_servers_with_the_token_are_answered(
    client: FlaskClient, method: str, path: str, given: dict[str, str]
) -> None:
    answer = client.open(path, method=method, headers=given, json={})
    assert answer.status_code == 401
    assert "DPPCTL_USAGE_TOKEN_FILE" in answer.get_json()["error"]


def test_a_place_is_given_and_given_back(client: FlaskClient, metrics: UsageMetrics) -> None:
    first = reserve(client)
    assert first.status_code == 201
    assert first.get_json()["timeoutSeconds"] == 60
    assert reserve(client).get_json() == first.get_json()
    assert reserve(client, run="run-y").status_code == 201
    refused = reserve(client, run="run-z")
    assert refused.status_code == 429
    problem = refused.get_json()
    assert (problem["code"], problem["limit"], problem["used"], problem["allowed"]) == ("limit", "runs", 2, 2)
    registry = CollectorRegistry()
    registry.register(metrics)
    assert registry.get_sample_value("dppctl_reservations") == 2
    assert registry.get_sample_value("dppctl_limit_refusals_total", {"limit": "runs"}) == 1
    assert client.delete(f"/reservations/{first.get_json()['id']}", headers=TOKEN).status_code == 204
    assert reserve(client, run="run-z").status_code == 201


def test_what_is_spent_for_today_is_402_and_a_ban_403(client: FlaskClient) -> None:
    spent = reserve(client, user="token:busy")
    assert (spent.status_code, spent.get_json()["limit"]) == (402, "workerHours")
    assert spent.get_json()["resetsAt"]
    banned = reserve(client, user="token:ben", ip="203.0.113.7")
    assert (banned.status_code, banned.get_json()["code"]) == (403, "banned")
    assert banned.get_json()["error"] == "address 203.0.113.7 is banned: scans"


def test_limits_for_the_proxy(client: FlaskClient) -> None:
    found = client.get("/limits?user=token:ann&group=org:a&ip=192.0.2.1", headers=TOKEN).get_json()
    publish = {"bytes": 2**30, "allowed": 2**30, "resetsAt": None}
    calls = {"callsPerMinute": 50, "uploadBytes": 2**28, "sshSeconds": 1800}
    assert found == {**calls, "publish": publish, "banned": ""}


def test_events_are_taken_once_and_wrong_ones_refused_in_a_line(client: FlaskClient) -> None:
    event = UsageEvent(user="token:carl", action="stop", subject="run-1", ip="192.0.2.1", details={"a": 1})
    for _ in range(2):
        answer = client.post("/events", data=f'{{"events": [{event.model_dump_json()}]}}', headers=TOKEN)
        assert answer.status_code == 204
    found = client.get("/report?user=token:carl&what=events", headers=TOKEN).get_json()["events"]
    assert [(each["subject"], each["outcome"], each["details"]) for each in found] == [("run-1", "ok", '{"a": 1}')]
    wrong = client.post("/events", json={"events": [{"id": "x"}]}, headers=TOKEN)
    assert wrong.status_code == 400
    assert wrong.get_json() == {
        "error": "events.0.id: String should match pattern '^[0-9a-f]{32}$'",
        "code": "invalid",
        "hint": "",
    }


def test_reports_as_json_and_csv(client: FlaskClient) -> None:
    report = client.get("/report?user=github:1&since=1d", headers=TOKEN).get_json()
    assert [run["run"] for run in report["runs"]] == ["run-0"]
    hours = next(each for each in report["limits"] if each["name"] == "workerHours")
    assert hours == {"name": "workerHours", "unit": "worker-hours in 24 hours", "used": 1, "allowed": 1}
    assert len(client.get("/report", headers=TOKEN).get_json()["runs"]) == 3
    rows = [*csv.DictReader(io.StringIO(client.get("/report?format=csv", headers=TOKEN).text))]
    assert {row["run"]: row["workerSeconds"] for row in rows} == {f"run-{n}": "3600.0" for n in range(3)}
    wrong = client.get("/report?since=yesterday", headers=TOKEN)
    assert wrong.status_code == 400
    assert "'yesterday' is no time; such as 7d" in wrong.get_json()["error"]


def test_no_spreadsheet_runs_what_a_cell_says(client: FlaskClient) -> None:
    text = client.get("/report?format=csv&what=events&user=github:1", headers=TOKEN).text
    assert [row["login"] for row in csv.DictReader(io.StringIO(text))] == [f"'{EVIL}"]


def test_without_login_the_page_is_for_this_machine_alone(client: FlaskClient) -> None:
    page = client.get("/", base_url="http://localhost:8080")
    assert page.status_code == 200
    assert "shown to this machine alone" in page.text
    assert all(f"run-{number}" in page.text for number in range(3))
    assert page.text.count("<svg") == 3
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    others = [
        {"base_url": "http://dppctl.example.org"},
        {"base_url": "http://localhost.example.org"},
        {"base_url": "http://localhost", "environ_base": {"REMOTE_ADDR": "192.0.2.1"}},
        {"base_url": "http://localhost", "headers": {"X-Forwarded-For": "127.0.0.1"}},
    ]
    assert [client.get("/", **each).status_code for each in others] == [403] * 4


def test_where_others_may_look_like_this_machine_there_is_no_page(service: UsageService) -> None:
    without = create_usage_app(UsageOptions("of-servers", has_page=False), service).test_client()
    for path in ("/", "/report.csv", "/report.json"):
        assert without.get(path, base_url="http://localhost").status_code == 404
    assert without.get("/report", headers=TOKEN).status_code == 200


def test_with_login_people_see_their_own_and_admins_all(visitor: FlaskClient, sessions: KnownSessions) -> None:
    led = visitor.get("/", base_url="http://localhost/usage")
    assert (led.status_code, led.headers["Location"]) == (303, "/auth/login?next=/usage/")
    own = {"headers": {"Cookie": "__Host-dppctl=of-ann"}}
    page = visitor.get("/", **own)
    assert "run-0" in page.text
    assert "run-1" not in page.text
    assert visitor.get("/?user=github:2", **own).status_code == 403
    assert visitor.get("/report.csv?user=", **own).status_code == 403
    assert "run-0" in visitor.get("/report.csv", **own).text
    admin = visitor.get("/", headers={"Cookie": "__Host-dppctl=of-root"})
    assert "of everybody" in admin.text
    sessions.accounts["a-token"] = Account("github:2", "root", frozenset({"read", "admin"}), token="laptop")
    for session in ("stolen", "a-token"):
        assert visitor.get("/", headers={"Cookie": f"__Host-dppctl={session}"}).status_code == 303
    sessions.is_away = True
    assert visitor.get("/", **own).status_code == 503


def test_what_people_are_called_stays_text_on_the_page(visitor: FlaskClient, sessions: KnownSessions) -> None:
    sessions.accounts["odd"] = Account("github:1", EVIL, frozenset({"read"}), csrf="mark")
    page = visitor.get("/", headers={"Cookie": "__Host-dppctl=odd"})
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_what_is_too_old_is_removed(tmp_path: Path) -> None:
    service = UsageService(f"sqlite:///{tmp_path}/usage.sqlite", None)
    now = datetime.now(UTC)
    for days in (399, 401):
        service.events.record([UsageEvent(action=f"{days}", at=now - timedelta(days=days))])
    grant = service.reservations.reserve(WantedRun("run-1", "token:ann"))
    service.events.forget_old()
    with service.database.read() as session:
        assert [event.action for event in session.query(LoggedEvent)] == ["399"]
        assert [place.id for place in session.query(Reservation)] == [grant.id]
    service.close()
