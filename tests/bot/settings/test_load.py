"""What the settings are when they are read, and what is refused."""

from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.settings import load_settings


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DPPCTL_WEBHOOK_SECRETS=old, new\nDPPCTL_PORT=1\n")
    settings = load_settings(tmp_path, {"DPPCTL_PORT": "2", "DPPCTL_CACHE_DIR": "of another part"})
    assert [secret.get_secret_value() for secret in settings.receiver.webhook_secrets] == ["old", "new"]
    assert settings.listen.port == 2
    assert settings.database_url == f"sqlite:///{tmp_path}/state/dppctl.sqlite"
    assert settings.github.repository_url("ann/app") == "https://github.com/ann/app.git"


def test_which_environments_belong_to_the_cluster(tmp_path: Path) -> None:
    given = {"DPPCTL_SYNC_ENVIRONMENTS": "staging=ns-a, production=ns-b,", "DPPCTL_RECEIVER_URL": "http://bot:8080/"}
    settings = load_settings(tmp_path, given, receives=False)
    assert settings.sync.environments == {"staging": "ns-a", "production": "ns-b"}
    assert settings.sync.receiver_url == "http://bot:8080"


def test_the_storage_listens_on_the_port_after_that_of_the_pages(tmp_path: Path) -> None:
    given = {"DPPCTL_PORT": "8000", "DPPCTL_STORAGE_FOLDER": "", "DPPCTL_PUBLISHER_REMOTE": "storage:b/data"}
    settings = load_settings(tmp_path, given, receives=False)
    assert (settings.storage_port, settings.storage.folder) == (8001, None)
    assert load_settings(tmp_path, {"DPPCTL_STORAGE_PORT": "0"}, receives=False).storage_port == 0


def test_each_start_has_a_sync_token_of_its_own(tmp_path: Path) -> None:
    given = {"DPPCTL_WEBHOOK_SECRETS": "x"}
    tokens = {load_settings(tmp_path, given).sync.token.get_secret_value() for _ in range(2)}
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "DPPCTL_WEBHOOK_SECRETS: is not set"),
        ({"DPPCTL_WEBHOOK_SECRETS": " , "}, "DPPCTL_WEBHOOK_SECRETS: is empty"),
        ({"DPPCTL_BUILDKIT_NAMESPACE": "a b"}, "DPPCTL_BUILDKIT_NAMESPACE: String should match"),
        ({"DPPCTL_BUILDKIT_MEMORY": "much"}, "DPPCTL_BUILDKIT_MEMORY: String should match"),
        ({"DPPCTL_PORT": "http"}, "DPPCTL_PORT: Input should be a valid integer"),
        ({"DPPCTL_GITHUB_URL": "https://me:secret@x"}, "DPPCTL_GITHUB_URL: expected https://HOST"),
        ({"DPPCTL_GITHUB_URL": "ext::sh -c x"}, "DPPCTL_GITHUB_URL: expected https://HOST"),
        ({"DPPCTL_SYNC_ENVIRONMENTS": "staging"}, "DPPCTL_SYNC_ENVIRONMENTS: expected ENVIRONMENT=NAMESPACE"),
        ({"DPPCTL_SYNC_ENVIRONMENTS": "staging=A_B"}, "DPPCTL_SYNC_ENVIRONMENTS: String should match"),
        ({"DPPCTL_RECEIVER_URL": "http://me:secret@x"}, "DPPCTL_RECEIVER_URL: String should match"),
        ({"DPPCTL_SYNC_DRIFT": "maybe"}, "DPPCTL_SYNC_DRIFT: Input should be 'repair', 'report' or 'off'"),
        ({"DPPCTL_PUBLIC_URL": "dppctl.example.org"}, "DPPCTL_PUBLIC_URL: expected https://HOST"),
        ({"DPPCTL_GITHUB_API_URL": "https://me:secret@x"}, "DPPCTL_GITHUB_API_URL: expected https://HOST"),
        ({"DPPCTL_STORAGE_URL": "data.example.org"}, "DPPCTL_STORAGE_URL: expected https://HOST"),
        ({"DPPCTL_PUBLISHER_REMOTE": "data"}, "DPPCTL_PUBLISHER_REMOTE: String should match"),
        ({"DPPCTL_PUBLISHER_REMOTE": ":s3,secret@:b"}, "DPPCTL_PUBLISHER_REMOTE: String should match"),
        ({"DPPCTL_ENVIRONMENT_URLS": "staging"}, "DPPCTL_ENVIRONMENT_URLS: expected ENVIRONMENT=https://HOST"),
    ],
)
def test_the_variable_that_is_wrong_is_named_and_no_value_is_shown(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    secret = {"DPPCTL_WEBHOOK_SECRETS": "hush"} if len(given) and "DPPCTL_WEBHOOK_SECRETS" not in given else {}
    with pytest.raises(DppctlError) as refused:
        load_settings(tmp_path, {**secret, **given})
    assert str(refused.value).startswith(said)
    assert "secret@" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_secrets_do_not_show_in_the_settings_text(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_GITHUB_TOKEN": "t0ken"})
    assert "hush" not in repr(settings)
    assert "t0ken" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "token", "statuses", "api", "shows"),
    [
        ("https://github.com", "t0ken", None, "https://api.github.com", True),
        ("https://github.com", "", None, "https://api.github.com", False),
        ("https://github.com", "t0ken", "false", "https://api.github.com", False),
        ("https://git.example.org", "t0ken", "true", "https://git.example.org/api/v3", True),
        ("file:///srv/git", "t0ken", "true", "file:///srv/git/api/v3", False),
    ],
)
def test_github_is_told_where_it_can_be(
    tmp_path: Path, url: str, token: str, statuses: str | None, api: str, shows: bool
) -> None:
    given = {"DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_GITHUB_URL": url, "DPPCTL_GITHUB_TOKEN": token}
    settings = load_settings(tmp_path, given | ({"DPPCTL_GITHUB_STATUSES": statuses} if statuses else {}))
    assert (settings.github.api_url, settings.github.shows_deployments) == (api, shows)


def test_a_section_with_other_values_keeps_the_rest(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_PORT": "1"})
    changed = settings.replace("listen", host="0.0.0.0")
    assert (changed.listen.host, changed.listen.port, settings.listen.host) == ("0.0.0.0", 1, "127.0.0.1")
    with pytest.raises(TypeError, match="listen has no hosts"):
        settings.replace("listen", hosts="0.0.0.0")
