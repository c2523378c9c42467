"""The script that makes a server a cluster, on a machine of stub programs, in a mount namespace of its own."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.providers.kamatera.record import SshKeys
from cli.providers.kamatera.script import BINARY_SHA256, INSTALLER_SHA256, VERSION, install_script
from tests.support.workloads import write_files

KEYS = SshKeys(
    "private", "ssh-ed25519 AAAA", "-----BEGIN HOST KEY-----\nsecret\n-----END HOST KEY-----\n", "ssh-ed25519 H"
)
K3S = f"""#!/bin/sh
case "$1" in --version) echo "k3s version {VERSION} (0123abc)";; esac
"""
INSTALLER = """#!/bin/sh
echo "install.sh $INSTALL_K3S_SKIP_DOWNLOAD $(cat /etc/rancher/k3s/config.yaml | head -1)" >> "$CALLS"
"""
STUBS = {
    "curl": """#!/bin/sh
echo "curl $*" >> "$CALLS"
while [ "$1" != --output ]; do shift; done
cp "$FILES/$(basename "$3")" "$2"
""",
    "systemctl": '#!/bin/sh\necho "systemctl $*" >> "$CALLS"\n',
    "ufw": '#!/bin/sh\necho "ufw $*" >> "$CALLS"\n',
    "nft": "#!/bin/sh\n",
    "ip": "#!/bin/sh\necho '1.1.1.1 via 203.0.113.1 dev eth0 src 203.0.113.7 uid 0'\n",
}
_INSIDE = 'for each in etc var/lib usr/local; do mount --bind "$1/$each" "/$each" || exit 9; done; exec sh "$2"'

pytestmark = [pytest.mark.needs("root"), pytest.mark.slow]


@dataclass
class Machine:
    """Its folders are those of `folder`; what is downloaded is in `folder`/files."""

    folder: Path
    installer: str = INSTALLER_SHA256

    def run(self) -> int:
        """Run the script as at the server's first start, with the checksums of the stand-ins; return its exit code."""
        script = install_script(KEYS).replace(BINARY_SHA256, sha256(K3S)).replace(INSTALLER_SHA256, self.installer)
        (self.folder / "script").write_text(script)
        path = f"{self.folder}/stubs:/usr/local/bin:{os.environ['PATH']}"
        environment = {"PATH": path, "CALLS": f"{self.folder}/calls", "FILES": f"{self.folder}/files"}
        command = ["unshare", "--mount", "sh", "-c", _INSIDE, "sh", str(self.folder), str(self.folder / "script")]
        return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode

    @property
    def state(self) -> str:
        return (self.folder / "var/lib/dppctl/state").read_text().strip()

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def files(self) -> dict[str, tuple[int, float, bytes]]:
        """What is on the machine, with its modes and times."""
        found = [file for name in ("etc", "var", "usr") for file in (self.folder / name).rglob("*") if file.is_file()]
        return {str(file): (file.stat().st_mode, file.stat().st_mtime, file.read_bytes()) for file in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in ("etc/ssh", "etc/systemd/system", "var/lib", "usr/local"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/ssh/ssh_host_ed25519_key").write_text("the image's own\n")
    write_files(tmp_path / "stubs", STUBS)
    for stub in (tmp_path / "stubs").iterdir():
        stub.chmod(0o755)
    write_files(tmp_path / "files", {"k3s": K3S, "install.sh": INSTALLER})
    return Machine(tmp_path, sha256(INSTALLER))


def test_it_installs_what_it_knows_and_a_second_run_changes_nothing(machine: Machine) -> None:
    assert machine.run() == 0
    assert machine.state == "ready"
    host_key = machine.folder / "etc/ssh/ssh_host_ed25519_key"
    assert (host_key.read_text(), host_key.stat().st_mode & 0o777) == (KEYS.host_private, 0o600)
    assert (machine.folder / "etc/ssh/ssh_host_ed25519_key.pub").read_text() == "ssh-ed25519 H\n"
    rules = (machine.folder / "etc/dppctl/firewall.nft").read_text()
    assert 'iifname != "eth0" accept' in rules
    assert "tcp dport { 22, 80, 443, 6443 } accept\n    drop" in rules
    calls = machine.calls
    assert 'install.sh true tls-san: ["203.0.113.7"]' in calls
    assert calls.index("systemctl restart ssh") < calls.index("systemctl enable --now dppctl-firewall.service")
    assert calls.index("systemctl enable --now dppctl-firewall.service") < calls.index(calls[-1]), "before k3s starts"
    urls = [call.split()[-1] for call in calls if call.startswith("curl")]
    assert all("v1.36.5%2Bk3s1" in url and url.startswith("https://") for url in urls)

    before = machine.files()
    assert machine.run() == 0
    assert (machine.files(), machine.calls) == (before, calls)


def test_a_file_that_is_another_stops_it_and_it_goes_on_when_it_is_right(machine: Machine) -> None:
    (machine.folder / "files/k3s").write_text(K3S + "# and more\n")
    assert machine.run() == 1
    assert machine.state.startswith("failed https://github.com/k3s-io/k3s/releases/download/v1.36.5%2Bk3s1/k3s is not")
    assert not list((machine.folder / "usr/local").iterdir())
    (machine.folder / "files/k3s").unlink()
    assert machine.run() == 1
    assert machine.state.endswith("/k3s cannot be downloaded")
    write_files(machine.folder / "files", {"k3s": K3S, "install.sh": INSTALLER + "rm -rf /\n"})
    assert machine.run() == 1
    assert "install.sh is not the file that dppctl knows" in machine.state
    assert not [call for call in machine.calls if call.startswith("install.sh")]
    write_files(machine.folder / "files", {"install.sh": INSTALLER})
    assert (machine.run(), machine.state) == (0, "ready")
    assert machine.calls.count("systemctl restart ssh") == 1, "who is logged in stays so"


def test_what_nobody_foresaw_is_told_with_its_step(machine: Machine) -> None:
    write_files(machine.folder / "stubs", {"ip": "#!/bin/sh\nexit 2\n"})
    assert machine.run() == 1
    assert machine.state == "failed it ended at: firewall"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
