"""How the pages are put together from settings, and what is refused."""

from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.test import Client

from bot.database import Database
from bot.errors import DppctlError
from bot.model.registration import parse_registration
from bot.settings import Settings, load_settings
from cli.private_files import read_or_make_key
from cli.servers.pages import make_all_in_one, make_receiver, prepare_all_in_one
from cluster.usage.tables import USAGE_SCHEMA, LoggedEvent
from tests.support.serving import in_thread
from tests.support.waiting import eventually


def _settings(folder: Path, **given: str) -> Settings:
    folder.mkdir(exist_ok=True)
    all_given = {"WEBHOOK_SECRETS": "x", "STATE_DIR": str(folder), **given}
    return load_settings(folder, {f"DPPCTL_{name}": value for name, value in all_given.items()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PAGES": "login"}, "DPPCTL_PAGES: is login, but there is none; set DPPCTL_AUTH_MODE"),
        ({"AUTH_MODE": "token"}, "DPPCTL_AUTH_URL: is not set"),
        ({"AUTH_MODE": "token", "AUTH_URL": "http://auth:8092"}, "DPPCTL_AUTH_SERVICE_TOKEN_FILE: is not set"),
        ({"USAGE_URL": "http://usage:8093"}, "DPPCTL_USAGE_TOKEN_FILE: is not set"),
    ],
)
def test_a_login_that_cannot_be_is_told_at_the_start(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(DppctlError, match=said):
        make_receiver(_settings(tmp_path, **given), frozenset())


def test_dppctl_up_has_the_login_at_its_own_address_and_makes_its_keys(tmp_path: Path) -> None:
    settings = _settings(tmp_path, AUTH_MODE="token")
    prepare_all_in_one(settings, frozenset())
    client = Client(make_all_in_one(settings, frozenset()))
    assert "Your token" in client.get("/auth/login").text
    assert 'href="/auth/login?next=%2F"' in client.get("/").text
    assert (tmp_path / "auth.key").stat().st_mode & 0o077 == 0
    assert client.get("/healthz").json == {"status": "ok"}

    client = Client(make_all_in_one(_settings(tmp_path), frozenset()))
    assert client.get("/auth/login").status_code == 404
    assert (tmp_path / "forms.key").stat().st_mode & 0o077 == 0


ELSEWHERE = {"REMOTE_ADDR": "10.0.0.7"}
HOLD = {"app": "ann/app", "environment": "staging", "message": "why"}
APPS = "apps: [{appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]}]"


def _logged(settings: Settings) -> list[tuple[str, str, str]]:
    database = Database(settings.usage_database_url, USAGE_SCHEMA)
    with database.read() as session:
        events = session.scalars(select(LoggedEvent).order_by(LoggedEvent.at)).all()
    database.close()
    return [(event.action, event.subject, event.outcome) for event in events]


def test_what_people_do_on_the_pages_is_in_the_log_of_use(tmp_path: Path) -> None:
    settings, targets = _settings(tmp_path / "up"), parse_registration(APPS, "apps.yaml")
    prepare_all_in_one(settings, targets)
    client = Client(make_all_in_one(settings, targets))
    assert client.post("/acts/hold", data=HOLD, environ_overrides=ELSEWHERE).status_code == 403
    eventually(lambda: _logged(settings) == [("hold", "ann/app staging", "403")], "it is in the log")
    assert client.get("/usage/", environ_overrides={"REMOTE_ADDR": "127.0.0.1"}).status_code == 200
    assert 'href="/usage/"' in client.get("/").text
    assert client.get("/usage/", environ_overrides=ELSEWHERE).status_code == 403
    assert client.post("/usage/events", json={"events": []}).status_code == 401
    assert (tmp_path / "up" / "usage.token").stat().st_mode & 0o077 == 0


def test_with_a_public_address_and_no_login_nobody_reads_what_others_use(tmp_path: Path) -> None:
    client = Client(make_all_in_one(_settings(tmp_path, PUBLIC_URL="https://a.example"), frozenset()))
    assert client.get("/usage/").status_code == 404


def test_the_receiver_alone_reports_to_the_usage_server(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("between servers")
    given = {"USAGE_TOKEN_FILE": str(tmp_path / "token")}
    usage, targets = _settings(tmp_path / "usage", **given), parse_registration(APPS, "apps.yaml")
    server = make_server("127.0.0.1", 0, make_all_in_one(usage, targets), threaded=True)
    with in_thread(server):
        given["USAGE_URL"] = f"http://127.0.0.1:{server.server_port}"
        client = Client(make_receiver(_settings(tmp_path / "receiver", **given), targets))
        assert client.post("/acts/hold", data=HOLD, environ_overrides=ELSEWHERE).status_code == 403
        eventually(lambda: _logged(usage) == [("hold", "ann/app staging", "403")], "it is in the log there")


def test_a_key_stays_as_it_was_made(tmp_path: Path) -> None:
    first = read_or_make_key(tmp_path / "keys" / "forms.key")
    assert len(first) == 43
    assert read_or_make_key(tmp_path / "keys" / "forms.key") == first
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["forms.key"]
