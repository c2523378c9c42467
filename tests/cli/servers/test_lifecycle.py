"""What servers say when they start."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.environment import REPOSITORY
from tests.support.workloads import write_files

SET_UP = "import sys, pathlib; from cli.servers.lifecycle import set_up; set_up(pathlib.Path(sys.argv[1]))"


def test_a_misspelt_variable_is_named_in_one_line_at_the_start(tmp_path: Path) -> None:
    env = "DPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_REGISTRI=hush.example.org\n"
    write_files(tmp_path, {"apps.yaml": "apps: []\n", ".env": env})
    done = subprocess.run(
        [sys.executable, "-c", SET_UP, str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"DPPCTL_CACHE_DIR": "of another part"},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stderr.splitlines()
    assert "DPPCTL_REGISTRI (did you mean DPPCTL_REGISTRY?)" in line
    assert "hush" not in line
