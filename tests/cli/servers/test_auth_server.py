"""`dppctl auth-server`, a process of its own, and what its settings are refused for."""

import re
import signal
from pathlib import Path

import pytest
import requests

from bot.accounts import AccountsClient, AccountsRefusedError
from bot.errors import DppctlError
from bot.settings import load_settings
from cli.servers.auth_server import auth_options
from cluster.proxy.tokens import make_token, write_tokens
from tests.support.command import Dppctl

TOKEN = {"DPPCTL_AUTH_MODE": "token"}
GITHUB = {"DPPCTL_AUTH_MODE": "oauth", "DPPCTL_AUTH_GITHUB_CLIENT_ID": "id", "DPPCTL_AUTH_GITHUB_CLIENT_SECRET": "hush"}


@pytest.mark.slow
def test_other_servers_ask_it_whose_a_token_is(dppctl: Dppctl, tmp_path: Path) -> None:
    token, record = make_token("ann's laptop", "ann", ["read", "deploy"])
    write_tokens(tmp_path / "tokens.json", [record])
    (tmp_path / "service-token").write_text("between servers\n")
    (tmp_path / "wrong").write_text("another")
    (tmp_path / "apps.yaml").write_text(
        "apps: [{appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [a], mayDeploy: ['token:ann']}]"
    )
    process = dppctl.start(
        "auth-server", "--config", str(tmp_path), PYTHONUNBUFFERED="1", DPPCTL_AUTH_LISTEN="127.0.0.1:0",
        DPPCTL_AUTH_SERVICE_TOKEN_FILE="service-token", DPPCTL_PROXY_TOKENS_FILE="tokens.json", cwd=tmp_path, **TOKEN,
    )  # fmt: skip
    assert process.stdout
    found = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert found
    accounts = AccountsClient(found[0], tmp_path / "service-token")
    account = accounts.identify(token)
    assert account
    assert (account.user, account.token) == ("token:ann", "ann's laptop")
    assert account.scopes == {"read", "deploy"}
    assert accounts.may_deploy(token, "ann/app").allowed
    assert "is not of GitHub" in accounts.may_deploy(token, "ann/other").reason
    with pytest.raises(AccountsRefusedError):
        AccountsClient(found[0], tmp_path / "wrong").identify(token)
    assert requests.get(f"{found[0]}/readyz", timeout=10).json() == {"status": "ok"}
    assert 'type="password"' in requests.get(f"{found[0]}/auth/login", timeout=10).text
    assert (tmp_path / "state" / "auth.key").stat().st_mode & 0o077 == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DPPCTL_AUTH_MODE": "oauth"}, "DPPCTL_AUTH_MODE: is oauth, but no provider is set"),
        ({**GITHUB, "DPPCTL_AUTH_GITHUB_CLIENT_SECRET": ""}, "DPPCTL_AUTH_GITHUB_CLIENT_SECRET: is not set"),
        ({**GITHUB, "DPPCTL_AUTH_GITHUB_CLIENT_ID": ""}, "DPPCTL_AUTH_GITHUB_CLIENT_ID: is not set"),
        (
            {"DPPCTL_AUTH_MODE": "oauth", "DPPCTL_AUTH_OIDC_CLIENT_ID": "i", "DPPCTL_AUTH_OIDC_CLIENT_SECRET": "s"},
            "DPPCTL_AUTH_OIDC_METADATA_URL: is not set",
        ),
        ({"DPPCTL_AUTH_MODE": "everybody"}, "DPPCTL_AUTH_MODE: "),
        ({"DPPCTL_AUTH_LISTEN": "here"}, "DPPCTL_AUTH_LISTEN: "),
        ({"DPPCTL_AUTH_ADMINS": "ann b"}, "DPPCTL_AUTH_ADMINS: "),
        ({"DPPCTL_AUTH_SERVICE_TOKEN_FILE": "/nowhere"}, "DPPCTL_AUTH_SERVICE_TOKEN_FILE: /nowhere: No such file"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(DppctlError) as refused:
        auth_options(load_settings(tmp_path, given, receives=False))
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_an_empty_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "auth.key").touch()
    with pytest.raises(DppctlError, match=r"auth\.key: is empty; remove it"):
        auth_options(load_settings(tmp_path, TOKEN, receives=False))


def test_an_auth_server_without_login_is_refused(dppctl: Dppctl, tmp_path: Path) -> None:
    done = dppctl("auth-server", "--config", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "dppctl: DPPCTL_AUTH_MODE: is none, which needs no auth server; set it to token or oauth\n"


def test_without_lists_it_is_said_that_nobody_but_admins_gets_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auth_options(load_settings(tmp_path, GITHUB, receives=False))
    assert 'event="nobody but admins can log in" admins=none' in capsys.readouterr().err
