"""Nobody else on the machine sees what servers keep, and what a killed one left goes at the next start."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environment import REPOSITORY
from tests.support.forge import APP
from tests.support.world import World

pytestmark = pytest.mark.slow


SERVER = """
import sys
from pathlib import Path
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.store.store import Store
from cli.servers.lifecycle import set_up

settings = set_up(Path(sys.argv[1])).settings
Store(settings.database_url).close()
git = Git(settings)
Mirror(git, settings.github.repository_url("ann/app"), settings.state_dir / "apps" / "ann+app").refresh()
git.close()
"""
# What it leaves when it is killed: a worker's scratch folder, with a key in it.
LEAVING = """
import sys, tempfile, time
from pathlib import Path
from cli.private_files import keep_private, use_temporary_folder

keep_private(Path(sys.argv[1]))
use_temporary_folder(Path(sys.argv[1]) / "tmp")
folder = tempfile.mkdtemp(prefix="dppctl-run-")
Path(folder, "key").write_text("secret")
print(folder, flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_state_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.app.push(APP)
    config = world.write_config()
    (config / "state").mkdir(mode=0o777)  # as an older version left it
    subprocess.run([sys.executable, "-c", SERVER, str(config)], cwd=REPOSITORY, umask=0, check=True)
    made = [config / "state", *(config / "state").rglob("*")]
    names = {path.name for path in made}
    assert {"dppctl.sqlite", "ann+app", "tmp"} <= names
    assert [path for path in made if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


def test_what_a_killed_server_left_goes_at_the_next_start_and_a_running_ones_stays(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def start(seconds: str) -> tuple["subprocess.Popen[str]", Path]:
        clean = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
        command = [sys.executable, "-c", LEAVING, str(state), seconds]
        process = subprocess.Popen(command, cwd=REPOSITORY, env=clean, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        return process, Path(process.stdout.readline().strip())

    killed, its = start("300")
    running, other = start("300")
    assert its.is_relative_to(state / "tmp")
    killed.kill()
    killed.communicate()
    assert (its / "key").exists()
    last, own = start("0")
    assert not its.exists()
    assert (other / "key").exists()
    assert last.communicate()[0] == ""
    assert not own.exists()
    running.kill()
    running.communicate()
