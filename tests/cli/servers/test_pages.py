"""How the pages are put together from settings, and what is refused."""

from pathlib import Path

import pytest
from werkzeug.test import Client

from bot.errors import DppctlError
from bot.settings import Settings, load_settings
from cli.private_files import read_or_make_key
from cli.servers.pages import make_all_in_one, make_receiver, prepare_login


def _settings(folder: Path, **given: str) -> Settings:
    all_given = {"WEBHOOK_SECRETS": "x", "STATE_DIR": str(folder), **given}
    return load_settings(folder, {f"DPPCTL_{name}": value for name, value in all_given.items()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PAGES": "login"}, "DPPCTL_PAGES: is login, but there is none; set DPPCTL_AUTH_MODE"),
        ({"AUTH_MODE": "token"}, "DPPCTL_AUTH_URL: is not set"),
        ({"AUTH_MODE": "token", "AUTH_URL": "http://auth:8092"}, "DPPCTL_AUTH_SERVICE_TOKEN_FILE: is not set"),
    ],
)
def test_a_login_that_cannot_be_is_told_at_the_start(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(DppctlError, match=said):
        make_receiver(_settings(tmp_path, **given), frozenset())


def test_dppctl_up_has_the_login_at_its_own_address_and_makes_its_keys(tmp_path: Path) -> None:
    settings = _settings(tmp_path, AUTH_MODE="token")
    prepare_login(settings, frozenset())
    client = Client(make_all_in_one(settings, frozenset()))
    assert "Your token" in client.get("/auth/login").text
    assert 'href="/auth/login?next=%2F"' in client.get("/").text
    assert (tmp_path / "auth.key").stat().st_mode & 0o077 == 0
    assert client.get("/healthz").json == {"status": "ok"}

    client = Client(make_all_in_one(_settings(tmp_path), frozenset()))
    assert client.get("/auth/login").status_code == 404
    assert (tmp_path / "forms.key").stat().st_mode & 0o077 == 0


def test_a_key_stays_as_it_was_made(tmp_path: Path) -> None:
    first = read_or_make_key(tmp_path / "keys" / "forms.key")
    assert len(first) == 43
    assert read_or_make_key(tmp_path / "keys" / "forms.key") == first
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["forms.key"]
