"""Where `dppctl init` keeps secrets, and that the servers find them there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from bot.errors import DppctlError
from bot.settings import load_settings
from cli.errors import InputError
from cli.init.secret_stores import EnvFile, Keyring
from cli.providers.local import Local
from tests.support.memory_keyring import MemoryKeyring

TOKEN, SECRETS = "DPPCTL_GITHUB_TOKEN", "DPPCTL_WEBHOOK_SECRETS"


def test_a_file_is_its_owners_only_and_keeps_what_else_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "config" / ".env"
    file.parent.mkdir()
    file.write_text("# ours\nDPPCTL_PORT=8081\nDPPCTL_GITHUB_TOKEN=old\n")
    file.chmod(0o644)
    place = EnvFile(file)
    hard = 'it\'s "$HOME" # \\ all'
    place.write({TOKEN: hard, SECRETS: "one,two"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("# ours\nDPPCTL_PORT=8081\n")
    assert (place.read(TOKEN), place.read("DPPCTL_NOTHING")) == (hard, None)
    settings = load_settings(file.parent, {})
    assert settings.github.token.get_secret_value() == hard
    assert [one.get_secret_value() for one in settings.receiver.webhook_secrets] == ["one", "two"]
    assert [one.name for one in file.parent.iterdir()] == [".env"]


@pytest.fixture
def set_keyring() -> Iterator[Callable[[KeyringBackend], None]]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_servers_find_what_is_in_the_keyring(tmp_path: Path, set_keyring: Callable[[KeyringBackend], None]) -> None:
    set_keyring(MemoryKeyring())
    Keyring("dppctl:x").write({TOKEN: "t", SECRETS: "s"})
    (tmp_path / ".env").write_text("DPPCTL_KEYRING=dppctl:x\n")
    settings = load_settings(tmp_path, {})
    assert (settings.github.token.get_secret_value(), len(settings.receiver.webhook_secrets)) == ("t", 1)
    assert load_settings(tmp_path, {TOKEN: "mine"}).github.token.get_secret_value() == "mine"


def test_a_system_without_a_keyring_says_what_to_do(
    tmp_path: Path, set_keyring: Callable[[KeyringBackend], None]
) -> None:
    set_keyring(NoKeyring())
    with pytest.raises(InputError, match="no keyring; keep the secrets in a file instead: --env-file"):
        Keyring("dppctl:x")
    with pytest.raises(DppctlError, match="DPPCTL_KEYRING: the system's keyring does not answer"):
        load_settings(tmp_path, {"DPPCTL_KEYRING": "dppctl:x"})


def test_without_a_keyring_the_local_provider_keeps_secrets_in_the_servers_file(
    tmp_path: Path, set_keyring: Callable[[KeyringBackend], None]
) -> None:
    set_keyring(NoKeyring())
    store = Local({}).secret_store(tmp_path)
    store.write({TOKEN: "t"})
    assert str(store) == str(tmp_path / ".env")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    set_keyring(MemoryKeyring())
    assert str(Local({}).secret_store(tmp_path)) == "the system's keyring"
