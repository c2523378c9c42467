"""A person with a folder of settings of their own, whose commands run in the test's process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from click.testing import CliRunner
from keyring.backends.fail import Keyring as NoKeyring

from bot.errors import DppctlError
from cli.main import dppctl

Person = Callable[..., str]


@pytest.fixture
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where `dppctl login` writes, on a system without a keyring."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield tmp_path / "config" / "dppctl"
    keyring.set_keyring(before)


@pytest.fixture
def person(settings_folder: Path) -> Person:
    """`person("use", "office")` gives what dppctl says, or `refused: ` and its one line."""
    assert settings_folder

    def run(*arguments: str, stdin: str = "") -> str:
        done = CliRunner().invoke(dppctl, arguments, input=stdin)
        if isinstance(done.exception, DppctlError):
            assert "\n" not in str(done.exception)
            return f"refused: {done.exception}"
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output + (f"exit code {done.exit_code}\n" if done.exit_code else "")

    return run
