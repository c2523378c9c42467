"""Which folder the commands take when none is named."""

from pathlib import Path

import pytest

from cli.config_option import home_folder, servers_folder


def test_this_folder_wins_then_the_one_that_init_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert servers_folder() == Path()
    home_folder().mkdir(parents=True)
    assert servers_folder() == Path()
    (home_folder() / "apps.yaml").touch()
    assert servers_folder() == home_folder()
    assert tmp_path in home_folder().parents
    Path("apps.yaml").touch()
    assert servers_folder() == Path()
