"""`dppctl up --install`: the unit by systemd's own checker, what is asked of systemctl by a stand-in for it."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.errors import InputError
from cli.servers.systemd import SystemdUnit, find_unit, install, installed, uninstall, unit_text

SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> {log}
case "$*" in *is-active*) echo active ;; esac
test "$1" != "$FAILS" || {{ echo "Failed to connect to bus"; exit 1; }}
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl and loginctl were asked for; no test may ask those of this machine."""
    file = tmp_path / "asked"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "loginctl"):
        (programs / name).write_text(SYSTEMCTL.format(log=file))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return file


@pytest.fixture
def unit(tmp_path: Path) -> SystemdUnit:
    return SystemdUnit(tmp_path / "systemd" / "user" / "dppctl.service")


def asked(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_it_is_written_enabled_and_started_once(log: Path, unit: SystemdUnit, tmp_path: Path) -> None:
    assert installed(unit) is None
    said = install(unit, tmp_path)
    assert said[0] == f"wrote {unit.file}"
    assert asked(log)[1:4] == ["--user daemon-reload", "--user enable dppctl.service", "--user start dppctl.service"]
    assert asked(log)[4].startswith("enable-linger ")
    assert installed(unit) == "active"
    log.unlink()
    assert install(unit, tmp_path) == ["it runs, and starts again at boot and when it breaks"]
    assert "--user daemon-reload" not in asked(log)


def test_another_folder_restarts_it(log: Path, unit: SystemdUnit, tmp_path: Path) -> None:
    install(unit, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    install(unit, other)
    assert "--user restart dppctl.service" in asked(log)
    assert f'"{other}"' in unit.file.read_text()


def test_it_is_stopped_and_removed(log: Path, unit: SystemdUnit, tmp_path: Path) -> None:
    install(unit, tmp_path)
    uninstall(unit)
    assert not unit.file.exists()
    assert asked(log)[-2:] == ["--user disable --now dppctl.service", "--user daemon-reload"]
    with pytest.raises(InputError, match="nothing is installed"):
        uninstall(unit)


def test_a_unit_of_somebody_else_stays(log: Path, unit: SystemdUnit, tmp_path: Path) -> None:
    unit.file.parent.mkdir(parents=True)
    unit.file.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(InputError, match="is not of dppctl; move it"):
        install(unit, tmp_path)
    with pytest.raises(InputError, match="left alone"):
        uninstall(unit)
    assert (unit.file.read_text(), asked(log)) == ("[Service]\nExecStart=/bin/true\n", [])


def test_without_systemd_nothing_is_written(unit: SystemdUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="without systemd, have what starts servers run `dppctl up`"):
        install(unit, tmp_path)
    assert not unit.file.exists()


def test_roots_is_the_machines_and_runs_as_who_called_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "ann")
    unit = find_unit()
    assert unit == SystemdUnit(Path("/etc/systemd/system/dppctl.service"), "ann")
    text = unit_text(unit, tmp_path)
    assert "\nUser=ann\n" in text
    assert "WantedBy=multi-user.target" in text
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find_unit() == SystemdUnit(tmp_path / "systemd/user/dppctl.service")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", ["servers", "my servers", '100% "data" $HOME'])
def test_systemd_takes_the_unit_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    file = tmp_path / "dppctl.service"
    file.write_text(unit_text(SystemdUnit(file), folder))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(file)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
