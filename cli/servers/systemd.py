"""Have systemd start `dppctl up` at boot: a unit, of this user or, for root, of the machine.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html, systemd.unit.html
"""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.process import Ended, ask
from bot.program_environment import listed_environment
from cli.errors import InputError
from cli.limits import SYSTEMD_SECONDS

UNIT = "dppctl.service"
_OURS = "# Written by `dppctl up --install`; `dppctl up --uninstall` removes it.\n"


@dataclass(frozen=True)
class SystemdUnit:
    """Where the unit is; user: whose servers it runs, "" for the user's own unit."""

    file: Path
    user: str = ""

    @property
    def is_of_machine(self) -> bool:
        """Return whether it starts with the machine, and not with its user's manager."""
        return bool(self.user)


def find_unit() -> SystemdUnit:
    """Return the unit of whoever asks: root's is the machine's, run as who called sudo."""
    if os.geteuid() == 0:
        return SystemdUnit(Path("/etc/systemd/system") / UNIT, os.environ.get("SUDO_USER") or "root")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return SystemdUnit(home / "systemd" / "user" / UNIT)


def unit_text(unit: SystemdUnit, config: Path) -> str:
    """Return the unit that runs `dppctl up` with this folder, in this Python, with this PATH."""
    command = " ".join(map(_quoted, [sys.executable, "-m", "cli.main", "up", "--config", str(config.resolve())]))
    path = _quoted(f"PATH={os.environ.get('PATH', os.defpath)}")
    user = f"User={unit.user}\n" if unit.is_of_machine else ""
    return f"""{_OURS}[Unit]
Description=dppctl: deploys data pipelines on every push
Documentation=https://github.com/OriHoch/dppctl
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={command}
WorkingDirectory={_escaped(str(config.resolve()))}
Environment={path}
{user}Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=30

[Install]
WantedBy={"multi-user.target" if unit.is_of_machine else "default.target"}
"""


def install(unit: SystemdUnit, config: Path) -> list[str]:
    """Write the unit, enable and start it; return what was done. Raises InputError for what is in the way."""
    kept = _read(unit)
    text = unit_text(unit, config)
    if kept is not None and not kept.startswith(_OURS):
        raise InputError(f"{unit.file} is not of dppctl; move it, and run this again")
    _systemctl(unit, "--version")
    done = []
    if kept != text:
        try:
            unit.file.parent.mkdir(parents=True, exist_ok=True)
            part = unit.file.with_name(f"{unit.file.name}.part")
            part.write_text(text)
            part.replace(unit.file)
        except OSError as error:
            raise InputError(f"{unit.file} cannot be written: {error.strerror}") from None
        _systemctl(unit, "daemon-reload")
        done.append(f"wrote {unit.file}")
    _systemctl(unit, "enable", UNIT)
    _systemctl(unit, "restart" if kept not in (None, text) else "start", UNIT)
    done.append("it runs, and starts again at boot and when it breaks")
    if not unit.is_of_machine:
        done += _linger()
    return done


def uninstall(unit: SystemdUnit) -> list[str]:
    """Stop and remove the unit; what it deployed stays. Raises InputError when there is none of dppctl's."""
    kept = _read(unit)
    if kept is None:
        raise InputError(f"nothing is installed: there is no {unit.file}")
    if not kept.startswith(_OURS):
        raise InputError(f"{unit.file} is not of dppctl; it is left alone")
    _systemctl(unit, "disable", "--now", UNIT)
    unit.file.unlink(missing_ok=True)
    _systemctl(unit, "daemon-reload")
    return [f"stopped it, and removed {unit.file}; what it deployed and its folder stay"]


def installed(unit: SystemdUnit) -> str | None:
    """Return how the installed unit is (systemd's word, such as active or failed); None: there is none of dppctl's."""
    if not (_read(unit) or "").startswith(_OURS):
        return None
    return _ask(unit, "is-active", UNIT).out.strip() or "unknown"


def _linger() -> list[str]:
    """Have the user's manager start at boot: https://www.freedesktop.org/software/systemd/man/latest/loginctl.html."""
    ended = ask(["loginctl", "enable-linger", getpass.getuser()], _environment(), SYSTEMD_SECONDS, separate=True)
    if not ended.code:
        return []
    return [f"it starts when you log in; to have it start at boot: sudo loginctl enable-linger {getpass.getuser()}"]


def _systemctl(unit: SystemdUnit, *arguments: str) -> None:
    ended = _ask(unit, *arguments)
    if ended.code:
        said = " ".join(ended.text.split())[:300] or f"exit code {ended.code}"
        raise InputError(
            f"systemctl {' '.join(arguments)}: {said}; without systemd, have what starts servers run `dppctl up`"
        )


def _ask(unit: SystemdUnit, *arguments: str) -> Ended:
    whose = [] if unit.is_of_machine else ["--user"]
    return ask(["systemctl", *whose, *arguments], _environment(), SYSTEMD_SECONDS, separate=True)


def _environment() -> dict[str, str]:
    return listed_environment("DBUS_SESSION_BUS_ADDRESS")


def _read(unit: SystemdUnit) -> str | None:
    try:
        return unit.file.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{unit.file} cannot be read: {error.strerror}") from None


def _quoted(text: str) -> str:
    """Return a text as one word: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html#Quoting."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_escaped(escaped)}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
